"""The shapes of the apps' JSON."""

from pydantic import BaseModel, Field

from orchestrator.apps.control import Doing, Seen


class App(BaseModel):
    id: str
    title: str
    icon: str
    port: int
    state: Doing
    reason: str = Field(description="Why it is absent or failed.")
    log: str = Field(description="What it wrote last, while it starts or where it failed.")
    url: str = Field(description="Where it is opened: the preview of its port.")
    path: str = Field(description="On this server; leads to it.")
    page: str = Field(description="The same, and starts it first.")

    @classmethod
    def of(cls, seen: Seen, *, url: str, path: str, page: str) -> "App":
        app = seen.app
        return cls(
            id=app.id, title=app.title, icon=app.icon, port=app.port, state=seen.doing,
            reason=seen.reason, log=seen.log, url=url, path=path, page=page,
        )  # fmt: skip


class Apps(BaseModel):
    apps: list[App]
