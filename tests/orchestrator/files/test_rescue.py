"""Which place answers for a workspace's files, and that a rescue does not outstay its use."""

from contextlib import suppress

import pytest

from models import User, Workspace, utcnow
from orchestrator import homes, workspaces
from orchestrator.errors import AllowanceReached, HomeBusy, HomeLocked, NoSpace
from orchestrator.files import place, rescue
from orchestrator.files.sftp_wire import Lost
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from orchestrator.storage import Feature
from tests.app_fixtures import PROOF
from tests.engine import WatchedEngine
from tests.orchestrator.conftest import ACTOR

SWEPT = rescue.IDLE_SECONDS + 1


def kind(platform: Platform, workspace: Workspace) -> place.Kind:
    with place.opened(platform, workspace.user, workspace, PROOF) as found:
        assert found.files.home == "/home/ann"
        return found.kind


def helpers(platform: Platform) -> list[str]:
    return [status.name for status in platform.engine.census() if status.name.startswith("rbx-")]


def test_a_running_workspace_serves_its_own_files(platform: Platform, running: Workspace) -> None:
    assert kind(platform, running) is place.Kind.WORKSPACE
    assert helpers(platform) == []


def test_a_rescue_sees_the_home_and_nothing_else(
    platform: Platform, engine: WatchedEngine, made: Workspace, ann: User
) -> None:
    assert kind(platform, made) is place.Kind.RESCUE
    (name,) = helpers(platform)
    assert name == rescue.name_of(ann.userhash)
    spec = engine._containers[name].spec
    assert spec.user == (ann.uid, ann.uid)
    assert not spec.network
    assert [(mount.target, mount.read_only) for mount in spec.mounts] == [("/home/ann", False)]


def test_a_workspace_that_ended_unseen_is_rescued(
    platform: Platform, engine: WatchedEngine, running: Workspace
) -> None:
    engine.fail(running.container)
    assert kind(platform, running) is place.Kind.RESCUE


def test_a_rescue_needs_the_key_of_the_home(platform: Platform, made: Workspace) -> None:
    assert Feature.ENCRYPTED in platform.storage.features
    with pytest.raises(HomeLocked), place.opened(platform, made.user, made, None):
        pytest.fail("there is no key")
    assert helpers(platform) == []


@pytest.mark.slow
def test_a_home_in_use_by_a_rescue_is_not_locked(platform: Platform, made: Workspace) -> None:
    with place.opened(platform, made.user, made, PROOF), pytest.raises(HomeBusy):
        homes.lock(platform, made.user)
    homes.lock(platform, made.user)
    assert helpers(platform) == []
    assert not platform.storage.is_unlocked(home_of(made.user))


def test_a_rescue_goes_when_nobody_uses_it(platform: Platform, made: Workspace) -> None:
    kind(platform, made)
    used, unused = platform.pools.used(rescue.name_of(made.user.userhash)), rescue.Unused()
    with place.opened(platform, made.user, made, PROOF):
        for clock in (used, used + 2 * SWEPT):
            unused.sweep(platform, clock)
    unused.sweep(platform, used + 3 * SWEPT)
    assert len(helpers(platform)) == 1, "it was in use a moment ago"
    unused.sweep(platform, used + 4 * SWEPT)
    assert helpers(platform) == []
    assert homes.lock_unused(platform, made.user_id, made.user.userhash, utcnow())


def test_what_another_process_left_goes_too(platform: Platform, made: Workspace) -> None:
    kind(platform, made)
    platform.pools.drop(rescue.name_of(made.user.userhash))
    unused = rescue.Unused()
    unused.sweep(platform, 1000.0)
    assert len(helpers(platform)) == 1
    unused.sweep(platform, 1000.0 + SWEPT)
    assert helpers(platform) == []


@pytest.mark.parametrize(("braked", "error"), [(False, AllowanceReached), (True, NoSpace)])
def test_a_braked_home_is_not_said_to_be_full(
    platform: Platform, running: Workspace, braked: bool, error: type[Exception]
) -> None:
    platform.brake.on = braked
    with pytest.raises(error), place.opened(platform, running.user, running, PROOF):
        raise AllowanceReached


def test_servers_of_a_workspace_end_with_it(platform: Platform, running: Workspace) -> None:
    container = running.container
    with suppress(Lost):  # nothing in here serves files
        platform.pools.of(platform.engine, container).do(lambda client: client.stat("/"))
    assert platform.pools.used(container)
    workspaces.stop(platform, running, ACTOR)
    assert not platform.pools.used(container)
