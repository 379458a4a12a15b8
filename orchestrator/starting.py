"""Bring a workspace up, or bring it back: one claim, a turn among the starts, one container."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from models import State, Workspace, db, end_reading, utcnow, writing
from orchestrator import access, audit, workspaces
from orchestrator.engines import Phase
from orchestrator.errors import Busy, Conflict, EngineError, NoSpace, RootBloodError
from orchestrator.platform import Platform
from orchestrator.policy import TERMINAL_PORT, home_of, spec_for
from orchestrator.workspaces import Actor

RENEW_SECONDS = 10.0


def ensure_running(platform: Platform, workspace: Workspace, actor: Actor) -> Workspace:
    """Return the workspace once its terminal answers; starts, resumes or repairs it as needed.

    Raises: StartFailed, ImageMissing, NoSpace, EngineUnreachable, Busy. The row then says why.
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
        return _start(platform, row, actor)


def _answers(platform: Platform, container: str) -> bool:
    end_reading()
    return platform.engine.inspect(container).phase is Phase.RUNNING


def _start(platform: Platform, row: Workspace, actor: Actor) -> Workspace:
    workspaces.set_state(platform, row, State.STARTING)
    try:
        with _turn_to_start(platform, row):
            _run(platform, row)
    except Busy:  # another server took over: the row is not ours any more
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


def _run(platform: Platform, row: Workspace) -> None:
    check_reserve(platform)
    user = row.user
    home = platform.storage.unlock(
        home_of(user), owner=(user.uid, user.uid), target=f"/home/{user.username}"
    )
    platform.engine.run(spec_for(row, home, str(platform.store.mounted)))
    platform.engine.dial(
        row.container, TERMINAL_PORT, timeout=platform.settings.start_seconds
    ).close()


def check_reserve(platform: Platform) -> None:
    """Raise NoSpace while the data directory's disk has less left than its reserve."""
    free = shutil.disk_usage(platform.settings.data_dir).free
    if free < platform.settings.reserve_bytes:
        raise NoSpace(
            f"The server's disk has {free >> 20} MiB left, less than its reserve of "
            f"{platform.settings.reserve_bytes >> 20} MiB"
        )


def restart(platform: Platform, workspace: Workspace, actor: Actor) -> Workspace:
    """Stop, then start; new limits and a changed template come into force."""
    workspaces.stop(platform, workspace, actor)
    return ensure_running(platform, db.session.merge(workspace), actor)
