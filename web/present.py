"""Rows as the API and the pages show them."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import func, select

from models import (
    ActiveSession,
    Kind,
    Share,
    Slot,
    Snapshot,
    State,
    Token,
    User,
    Workspace,
    db,
    end_reading,
)
from models import Home as HomeRow
from orchestrator import apps, catalogue, hours, keys, languages, snapshot_schedule
from orchestrator.administration import UserRow
from orchestrator.commons import quota
from orchestrator.doctor import Finding
from orchestrator.errors import EngineUnreachable
from orchestrator.idleness import Hours, Policy, judge
from orchestrator.jobs import Job
from orchestrator.platform import Platform
from orchestrator.policy import allowance_of, home_of, level
from orchestrator.previews import Label, shares
from orchestrator.storage import Feature
from orchestrator.sweep import activity_of
from web import problems
from web.api import home_schema, schema
from web.identity import Caller
from web.opening import path_to


def me(platform: Platform, user: User) -> schema.Me:
    """Return the account and what it may use."""
    return schema.Me(
        username=user.username,
        role=user.role,
        uid=user.uid,
        allowance=_allowance(platform, user),
        created_at=user.created_at,
    )


def home(platform: Platform, who: Caller, now: datetime) -> home_schema.Home:
    """Return how the caller's home is kept and what it takes, as of this moment where it is open.

    The state of a home that was never used is that of the one there will be.
    """
    user, storage, settings = who.user, platform.storage, platform.settings
    name, allowance = home_of(user), allowance_of(settings, user)
    row = db.session.get(HomeRow, user.id, populate_existing=True)
    recovery, escrow = keys.has_slot(user, Slot.RECOVERY), keys.has_slot(user, Slot.ESCROW)
    at_hand = keys.opens(who.login_id, who.token_id)
    hours_used = hours.used(user, now)
    next_snapshot = snapshot_schedule.next_due(platform, user)
    end_reading()
    encrypted, capped = (f in storage.features for f in (Feature.ENCRYPTED, Feature.CAPPED))
    # A storage that does neither may keep its homes in an engine, which may not answer.
    locked = encrypted and not storage.is_unlocked(name)
    live = None if locked or not capped else storage.usage(name)
    files = live if live is not None else row.files_bytes if row and row.capped else None
    split = home_schema.HomeSplit(
        files_bytes=files,
        snapshots_bytes=row.snapshots_bytes if row else 0,
        images_bytes=row.images_bytes if row else 0,
        published_bytes=row.published_bytes if row else quota.used(platform, user),
    )
    allowed = row.allowance_bytes if row else allowance.disk_bytes
    others = split.snapshots_bytes + split.images_bytes + split.published_bytes
    used = (files or 0) + others
    return home_schema.Home(
        storage=storage.kind,
        encrypted=encrypted,
        capped=capped,
        locked=locked,
        key_at_hand=at_hand,
        unlocked_until=row.unlocked_until if row and not locked else None,
        allowance_bytes=allowed,
        used_bytes=min(used, allowed) if capped else used,
        split=split,
        level=level(used, allowed),
        braked=platform.brake.on,
        recovery=recovery,
        escrow=escrow,
        backup=bool(settings.backup_url),
        hours_used=round(hours_used, 2),
        hours_allowed=allowance.hours or None,
        week_began_at=hours.week_began(now),
        next_snapshot_at=next_snapshot,
        jobs=[job(one) for one in platform.jobs.of(user.id)],
    )


def job(work: Job) -> home_schema.Job:
    """Return what is being done to a home."""
    error = problems.document(work.error) if work.error is not None else None
    return home_schema.Job(
        id=work.id,
        kind=work.kind.value,
        state=work.state.value,
        text=work.text,
        done_bytes=work.done_bytes,
        total_bytes=work.total_bytes,
        percent=work.percent,
        started_at=work.started_at,
        snapshot_id=work.snapshot_id,
        error=schema.Problem(**error) if error else None,
    )


def snapshot(row: Snapshot) -> home_schema.Snapshot:
    """Return one snapshot."""
    return home_schema.Snapshot(
        id=row.id,
        reason=row.reason,
        note=row.note,
        taken_at=row.taken_at,
        files=row.files,
        total_bytes=row.total_bytes,
        added_bytes=row.added_bytes,
        consistent=row.consistent,
    )


def _allowance(platform: Platform, user: User) -> schema.Allowance:
    allowance = allowance_of(platform.settings, user)
    return schema.Allowance(
        workspaces=allowance.workspaces,
        cpus=allowance.cpus,
        memory_bytes=allowance.memory_bytes,
        pids=allowance.pids,
        disk_bytes=allowance.disk_bytes,
        hours=allowance.hours or None,
    )


def users(platform: Platform, rows: list[UserRow], now: datetime) -> list[schema.User]:
    """Return accounts as administrators see them, by what was last measured."""
    ran = hours.used_by([row.user.id for row in rows], now)
    end_reading()
    encrypted = Feature.ENCRYPTED in platform.storage.features
    opened = platform.storage.unlocked() if encrypted else frozenset()
    return [
        schema.User(
            username=row.user.username,
            role=row.user.role,
            standing=row.user.standing,
            uid=row.user.uid,
            allowance=_allowance(platform, row.user),
            use=schema.Use(
                workspaces=row.workspaces,
                running=row.running,
                files_bytes=row.home.files_bytes if row.home and row.home.capped else None,
                snapshots_bytes=row.home.snapshots_bytes if row.home else 0,
                images_bytes=row.home.images_bytes if row.home else 0,
                published_bytes=row.home.published_bytes if row.home else 0,
                locked=encrypted and home_of(row.user) not in opened,
                hours=round(ran[row.user.id], 2),
            ),
            created_at=row.user.created_at,
            last_seen_at=row.user.last_seen_at,
        )
        for row in rows
    ]


def findings(found: list[Finding], *, hints: bool) -> list[schema.Finding]:
    """Return what the doctor found; the hints are for administrators."""
    return [
        schema.Finding(
            name=one.name, verdict=one.verdict, what=one.what, hint=one.hint if hints else ""
        )
        for one in found
    ]


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
    shelves = apps.shelves(platform.settings.data_dir)
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
            languages=[schema.Language.of(languages.loaded(one)) for one in row.languages],
            apps=[
                schema.TemplateApp.of(one, installed=apps.is_installed(one, shelves))
                for one in apps.of(row)
            ],
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
    shared: defaultdict[int, list[Share]] = defaultdict(list)
    if rows:
        ids = [row.id for row in rows]
        query = (
            select(ActiveSession.workspace_id, func.count())
            .where(ActiveSession.workspace_id.in_(ids), ActiveSession.kind != Kind.PREVIEW)
            .group_by(ActiveSession.workspace_id)
        )
        counts = dict(db.session.execute(query).all())
        for share in shares.of(ids, now):
            shared[share.workspace_id].append(share)
    left = hours.left(platform.settings, rows, now)
    return [
        _workspace(platform, now, row, counts.get(row.id, 0), left.get(row.user_id), shared[row.id])
        for row in rows
    ]


def _workspace(
    platform: Platform,
    now: datetime,
    row: Workspace,
    open_sessions: int,
    left: Hours | None,
    shared: list[Share],
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
        activity=_activity(platform, now, row, open_sessions, left),
        shared=[_shared(row, share) for share in shared],
    )


def _shared(row: Workspace, share: Share) -> schema.SharedPort:
    label = Label(share.port, row.name, row.user.username)
    return schema.SharedPort(
        port=share.port, share=share.audience, expires=share.expires_at, path=path_to(label)
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
    platform: Platform, now: datetime, row: Workspace, open_sessions: int, left: Hours | None
) -> schema.Activity:
    if row.state is not State.RUNNING:
        return schema.Activity(
            open_sessions=open_sessions,
            last_input_at=row.last_input_at,
            stops_at=None,
            snoozed_until=None,
            explanation="",
        )
    activity = activity_of(platform, row, left)
    verdict = judge(now, Policy.of(platform.settings), activity, platform.watch.since)
    return schema.Activity(
        open_sessions=open_sessions,
        last_input_at=activity.last_input_at,
        stops_at=verdict.stops_at,
        snoozed_until=row.snoozed_until,
        explanation=verdict.explanation,
    )
