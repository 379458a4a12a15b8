"""Bring a workspace up, or bring it back: one claim, a turn among the starts, one container."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from models import State, Workspace, db, end_reading, utcnow, writing
from orchestrator import access, apps, audit, homes, hours, workspaces
from orchestrator.engines import Phase
from orchestrator.errors import (
    Busy,
    Conflict,
    EngineError,
    HomeBusy,
    HomeLocked,
    NoSpace,
    RootBloodError,
)
from orchestrator.platform import Platform
from orchestrator.policy import TERMINAL_PORT, spec_for
from orchestrator.storage import Feature
from orchestrator.workspaces import Actor

RENEW_SECONDS = 10.0


def ensure_running(platform: Platform, workspace: Workspace, actor: Actor) -> Workspace:
    """Return the workspace once its terminal answers; starts, resumes or repairs it as needed.

    Raises: AllowanceReached, HomeLocked, StartFailed, ImageMissing, NoSpace, EngineUnreachable,
    Busy. The row then says why.
    """
    if workspace.state is State.RUNNING and _answers(platform, workspace.container):
        return workspace
    with platform.claims.claim(
        workspace.id, patience=platform.settings.start_seconds + workspaces.STOP_GRACE_SECONDS
    ) as row:
        access.require_active(row.user)  # it may have been suspended while this one waited
        if row.state is State.RUNNING and _answers(platform, row.container):
            return row
        if row.state is State.DELETING:
            raise Conflict("The workspace is being deleted")
        hours.require(platform.settings, row, utcnow())
        return _start(platform, row, actor)


def _answers(platform: Platform, container: str) -> bool:
    end_reading()
    return platform.engine.inspect(container).phase is Phase.RUNNING


def _start(platform: Platform, row: Workspace, actor: Actor) -> Workspace:
    workspaces.set_state(platform, row, State.STARTING)
    try:
        with _turn_to_start(platform, row), _keeping_claim(platform, row):
            _run(platform, row, actor)
    except Busy:  # another server took over: the row is not ours any more
        raise
    except (HomeLocked, HomeBusy) as error:  # nothing is wrong with it
        workspaces.set_state(platform, row, State.STOPPED, reason=str(error))
        raise
    except RootBloodError as error:
        log = error.log if isinstance(error, EngineError) else ""
        with suppress(EngineError):  # what does not serve must not run on unseen
            platform.engine.stop(row.container, grace=1.0)
        workspaces.set_state(platform, row, State.FAILED, reason=str(error), log=log)
        raise
    except BaseException:
        workspaces.set_state(
            platform, row, State.FAILED, reason="The server was interrupted while starting it."
        )
        raise
    now = utcnow()
    with writing():
        db.session.refresh(row)
        workspaces.move(row, State.RUNNING)
        row.started_at = now
        row.last_input_at = row.last_busy_at = None
        hours.begin(row, now)
        audit.record(now, actor.name, "workspace.started", row.name, address=actor.address)
    platform.feed.publish(row.user_id)
    return row


@contextmanager
def _turn_to_start(platform: Platform, row: Workspace) -> Iterator[None]:
    """Wait until not too many start; the claim, which lasts for one start, lives on meanwhile.

    Raises: Busy when another server took the claim all the same.
    """
    while not platform.starts.acquire(timeout=RENEW_SECONDS):
        platform.claims.renew(row.id)
    try:
        platform.claims.renew(row.id)
        yield
    finally:
        platform.starts.release()


@contextmanager
def _keeping_claim(platform: Platform, row: Workspace) -> Iterator[None]:
    """Renew the claim for as long as it takes: a home may have to be mended or taken over first."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(RENEW_SECONDS):
            with platform.jobs.context(), suppress(Busy):
                platform.claims.renew(row.id)

    keeper = threading.Thread(target=keep, name="claim", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()


def _run(platform: Platform, row: Workspace, actor: Actor) -> None:
    check_reserve(platform)
    user = row.user
    with homes.in_use(platform, user, actor.proof) as home:
        mount = platform.storage.mount(home.name, f"/home/{user.username}")
        capped = Feature.CAPPED in platform.storage.features
        spec = spec_for(
            row,
            mount,
            str(platform.store.mounted),
            shelves=apps.mounts(row.template, apps.shelves(platform.settings.data_dir)),
            capped=capped,
        )
        platform.engine.run(spec)
        platform.engine.dial(
            row.container, TERMINAL_PORT, timeout=platform.settings.start_seconds
        ).close()


def check_reserve(platform: Platform) -> None:
    """Raise NoSpace while the data directory's disk has less left than its reserve."""
    free = homes.host_free_bytes(platform)
    if free < platform.settings.reserve_bytes:
        raise NoSpace(
            f"The server's disk has {free >> 20} MiB left, less than its reserve of "
            f"{platform.settings.reserve_bytes >> 20} MiB"
        )


def restart(platform: Platform, workspace: Workspace, actor: Actor) -> Workspace:
    """Stop, then start; new limits and a changed template come into force."""
    workspaces.stop(platform, workspace, actor)
    return ensure_running(platform, db.session.merge(workspace), actor)
