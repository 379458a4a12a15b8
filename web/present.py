"""Rows as the API and the pages show them."""

from datetime import datetime

from sqlalchemy import func, select

from models import ActiveSession, State, Token, User, Workspace, db, end_reading
from orchestrator import catalogue
from orchestrator.errors import EngineUnreachable
from orchestrator.idleness import Policy, judge
from orchestrator.platform import Platform
from orchestrator.policy import allowance_of
from orchestrator.sweep import activity_of
from web.api import schema


def me(platform: Platform, user: User) -> schema.Me:
    """Return the account and what it may use."""
    allowance = allowance_of(platform.settings, user)
    return schema.Me(
        username=user.username,
        role=user.role,
        uid=user.uid,
        allowance=schema.Allowance(
            workspaces=allowance.workspaces,
            cpus=allowance.cpus,
            memory_bytes=allowance.memory_bytes,
            pids=allowance.pids,
        ),
        created_at=user.created_at,
    )


def token(row: Token) -> schema.Token:
    """Return a token without its secret."""
    return schema.Token(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def templates(platform: Platform, *, all_of_them: bool = False) -> list[schema.Template]:
    """Return the catalogue, each entry with whether the engine has its image.

    While the engine does not answer that is unknown, and nothing is held against an entry.
    """
    rows = catalogue.templates(all_of_them=all_of_them)
    end_reading()
    try:
        images = platform.engine.images()
    except EngineUnreachable:
        images = frozenset(row.image for row in rows)
    return [
        schema.Template(
            name=row.name,
            title=row.title,
            description=row.description,
            image=row.image,
            image_present=row.image in images,
            cpus=row.cpus,
            memory_bytes=row.memory_bytes,
            pids=row.pids,
            ports=row.ports,
            read_only_root=row.read_only_root,
            enabled=row.enabled,
        )
        for row in rows
    ]


def workspace(platform: Platform, now: datetime, row: Workspace) -> schema.Workspace:
    """Return one workspace with what it is doing."""
    return workspaces(platform, now, [row])[0]


def workspaces(platform: Platform, now: datetime, rows: list[Workspace]) -> list[schema.Workspace]:
    """Return workspaces with their live connections counted in one query."""
    counts: dict[int, int] = {}
    if rows:
        query = (
            select(ActiveSession.workspace_id, func.count())
            .where(ActiveSession.workspace_id.in_([row.id for row in rows]))
            .group_by(ActiveSession.workspace_id)
        )
        counts = dict(db.session.execute(query).all())
    return [_workspace(platform, now, row, counts.get(row.id, 0)) for row in rows]


def _workspace(
    platform: Platform, now: datetime, row: Workspace, open_sessions: int
) -> schema.Workspace:
    return schema.Workspace(
        name=row.name,
        template=row.template.name,
        state=row.state,
        reason=row.reason,
        log=row.log,
        url=f"/w/{row.name}/",
        limits=schema.Limits(cpus=row.cpus, memory_bytes=row.memory_bytes, pids=row.pids),
        created_at=row.created_at,
        started_at=row.started_at,
        stopped_at=row.stopped_at,
        usage=_usage(platform, row),
        activity=_activity(platform, now, row, open_sessions),
    )


def _usage(platform: Platform, row: Workspace) -> schema.Usage | None:
    rates = platform.sampler.now(row.container) if row.state is State.RUNNING else None
    if rates is None:
        return None
    return schema.Usage(
        cpu_percent=round(rates.cpu_percent, 1),
        memory_bytes=rates.memory_bytes,
        pids=rates.pids,
        net_bytes_per_second=round(rates.net_bytes_per_second),
        block_bytes_per_second=round(rates.block_bytes_per_second),
    )


def _activity(
    platform: Platform, now: datetime, row: Workspace, open_sessions: int
) -> schema.Activity:
    if row.state is not State.RUNNING:
        return schema.Activity(
            open_sessions=open_sessions,
            last_input_at=row.last_input_at,
            stops_at=None,
            snoozed_until=None,
            explanation="",
        )
    activity = activity_of(platform, row)
    verdict = judge(now, Policy.of(platform.settings), activity, platform.watch.since)
    return schema.Activity(
        open_sessions=open_sessions,
        last_input_at=activity.last_input_at,
        stops_at=verdict.stops_at,
        snoozed_until=row.snoozed_until,
        explanation=verdict.explanation,
    )
