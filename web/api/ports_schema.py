"""The shapes of the ports' JSON."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from models import Audience
from orchestrator.previews.ports import Port as Row
from web.api.schema import Input


def _moment(value: object) -> datetime | None:
    """Return the moment that a text names, with its zone."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError("write a moment with its zone, such as 2030-01-31T12:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # the zone carries it beyond the calendar
        raise ValueError("there is no such moment") from error


class PortShare(Input):
    share: Annotated[Audience, Field(strict=False)] = Audience.PRIVATE
    expires: Annotated[datetime | None, BeforeValidator(_moment)] = Field(
        None, description="Null is when the workspace is deleted."
    )


class Guest(BaseModel):
    username: str | None = Field(description="Null for a stranger.")
    address: str | None = Field(description="Of a stranger; empty stands for several.")
    since: datetime


class Port(BaseModel):
    port: int
    listening: bool | None = Field(description="Null while the engine does not answer: unknown.")
    address: str | None = Field(description="Where it is bound, such as 127.0.0.1 or ::.")
    command: str | None = Field(description="How its program was started, where that can be seen.")
    share: Audience
    expires: datetime | None
    url: str
    path: str = Field(description="Leads to it, for a browser that is signed in here.")
    guests: list[Guest] = Field(description="Who looks at it.")

    @classmethod
    def of(cls, row: Row, url: str, path: str) -> "Port":
        heard = row.listener
        return cls(
            port=row.label.port,
            listening=row.listens,
            address=heard.address if heard else None,
            command=(heard.command or None) if heard else None,
            share=row.audience,
            expires=row.expires_at,
            url=url,
            path=path,
            guests=[
                Guest(
                    username=one.username,
                    address=None if one.username else one.address,
                    since=one.since,
                )
                for one in row.guests
            ],
        )


class Ports(BaseModel):
    ports: list[Port]
    known: bool = Field(
        description="False while the engine does not answer: those that only listen are missing."
    )
