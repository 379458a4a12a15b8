from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import pytest
from sqlalchemy import select

from models import Event, Role, Standing, State, User, Workspace, db, utcnow
from orchestrator import access, accounts, administration, deletion, starting, tokens, workspaces
from orchestrator.access import Right
from orchestrator.connections import Connection
from orchestrator.errors import (
    AlreadyExists,
    BadInput,
    Conflict,
    EngineError,
    Forbidden,
    NotFound,
    StorageError,
    WrongCredentials,
)
from orchestrator.platform import Platform
from orchestrator.policy import Allowance, allowance_of, home_of
from orchestrator.workspaces import Actor
from tests.app_fixtures import PASSWORD, PROOF, account, on_both_databases
from tests.engine import WatchedEngine

pytestmark = on_both_databases
ACTOR = Actor("bob", proof=PROOF)
FORTNIGHT = timedelta(days=14)
Again = Callable[[Workspace], Workspace | None]


@pytest.fixture
def bobs(bob: User, platform: Platform) -> Workspace:
    """Bob's running workspace."""
    row = workspaces.create(platform, bob, utcnow(), "main", actor=ACTOR)
    return starting.ensure_running(platform, row, ACTOR)


def suspend(platform: Platform, admin: User, name: str = "bob") -> None:
    administration.suspend(platform, admin, utcnow(), name, address="192.0.2.9")


def remove(platform: Platform, admin: User, name: str = "bob") -> None:
    administration.remove(platform, admin, utcnow(), name, address="192.0.2.9")


def allow(platform: Platform, admin: User, name: str = "bob", **change: float | None) -> None:
    administration.set_allowance(platform, admin, utcnow(), name, change, address="192.0.2.9")


def test_a_suspended_account_is_out_at_once(
    platform: Platform, ann: User, bobs: Workspace, again: Again,
    connect: Callable[..., Connection],
) -> None:  # fmt: skip
    bob = bobs.user
    _, cookie = accounts.sign_in(bob, utcnow(), address="", agent="")
    _, token = tokens.create(bob, utcnow(), "x", 1, address="")
    tab = connect(platform, bobs)
    suspend(platform, ann)
    assert tab.carrier.closed == 1
    assert (again(bobs).state, again(bobs).reason) == (State.STOPPED, "The account was suspended")
    assert accounts.find_login(cookie, utcnow(), FORTNIGHT) is None
    assert tokens.find(token, utcnow()) is None
    with pytest.raises(WrongCredentials):
        accounts.authenticate(platform.settings, utcnow(), "bob", PASSWORD)
    administration.resume(ann, utcnow(), "bob", address="")
    assert accounts.authenticate(platform.settings, utcnow(), "bob", PASSWORD)
    assert accounts.find_login(cookie, utcnow(), FORTNIGHT) is None, "the old login stays ended"


def test_one_workspace_that_does_not_stop_does_not_save_the_others(
    platform: Platform, ann: User, bobs: Workspace, again: Again, engine: WatchedEngine
) -> None:
    other = workspaces.create(platform, bobs.user, utcnow(), "other", actor=ACTOR)
    other = starting.ensure_running(platform, other, ACTOR)

    def refuse(name: str) -> None:
        if name == bobs.container:
            raise EngineError("It does not let go")

    engine.during["stop"] = refuse
    with pytest.raises(EngineError, match="It does not let go"):
        suspend(platform, ann)
    assert again(bobs).user.standing is Standing.SUSPENDED
    assert again(other).state is State.STOPPED


def test_only_a_suspended_account_can_be_deleted_and_its_files_stay_for_a_while(
    platform: Platform, ann: User, bobs: Workspace, again: Again, engine: WatchedEngine
) -> None:
    home, uid = home_of(bobs.user), bobs.user.uid
    with pytest.raises(Conflict, match="Only a suspended account"):
        remove(platform, ann)
    suspend(platform, ann)
    remove(platform, ann)
    assert again(bobs) is None
    assert list(engine.census()) == []
    assert home in platform.storage.homes
    assert home not in platform.storage.unlocked()
    event = db.session.scalars(select(Event).where(Event.action == "account.deleted")).one()
    assert (event.actor, event.target, event.detail) == ("ann", "bob", {"home": home})
    fresh = account(platform.settings, "bob")
    assert fresh.uid != uid
    assert home_of(fresh) != home


def test_nobody_does_it_to_themselves(platform: Platform, ann: User) -> None:
    with pytest.raises(Conflict):
        suspend(platform, ann, "ann")
    with pytest.raises(Conflict):
        remove(platform, ann, "ann")
    with pytest.raises(Conflict):
        administration.set_role(ann, utcnow(), "ann", Role.USER, address="")
    assert ann.is_admin


def test_only_administrators_may(platform: Platform, ann: User, bob: User) -> None:
    for act in (
        lambda: suspend(platform, bob, "ann"),
        lambda: remove(platform, bob, "ann"),
        lambda: administration.resume(bob, utcnow(), "ann", address=""),
        lambda: administration.set_role(bob, utcnow(), "bob", Role.ADMIN, address=""),
        lambda: allow(platform, bob, cpus=1.0),
        lambda: administration.users(bob),
        lambda: administration.user(bob, "bob"),
        lambda: administration.events(bob, 1),
    ):
        with pytest.raises(Forbidden):
            act()


@pytest.mark.parametrize("name", ["nobody-here", "a\x00b", "x" * 1000])
def test_an_unknown_account_is_not_found(platform: Platform, ann: User, name: str) -> None:
    with pytest.raises(NotFound):
        suspend(platform, ann, name)
    with pytest.raises(NotFound):
        allow(platform, ann, name, cpus=1.0)
    with pytest.raises(NotFound):
        administration.user(ann, name)


def test_administrators_make_administrators(ann: User, bob: User) -> None:
    administration.set_role(ann, utcnow(), "bob", Role.ADMIN, address="")
    assert administration.users(bob)
    administration.set_role(ann, utcnow(), "bob", Role.USER, address="")
    with pytest.raises(Forbidden):
        administration.users(bob)


def test_an_allowance_holds_for_that_account(platform: Platform, ann: User, bob: User) -> None:
    own = Allowance(
        workspaces=1, cpus=0.5, memory_bytes=64 << 20, pids=32, disk_bytes=1 << 30, hours=10.0
    )
    allow(platform, ann, **asdict(own))
    db.session.expire_all()
    assert allowance_of(platform.settings, bob) == own
    assert allowance_of(platform.settings, ann).workspaces == 5
    workspaces.create(platform, bob, utcnow(), "one", actor=ACTOR)
    with pytest.raises(Conflict, match="allows 1 workspaces"):
        workspaces.create(platform, bob, utcnow(), "two", actor=ACTOR)


def test_what_is_not_named_stays_and_none_is_the_default_again(
    platform: Platform, ann: User, bob: User
) -> None:
    allow(platform, ann, cpus=0.5, disk_bytes=1 << 30)
    allow(platform, ann, cpus=None, hours=3.0)
    assert (bob.max_cpus, bob.max_disk_bytes, bob.max_hours) == (None, 1 << 30, 3.0)
    events = select(Event).where(Event.action == "account.allowance-set").order_by(Event.id.desc())
    event = db.session.scalars(events).first()
    assert (event.actor, event.target, event.detail["hours"]) == ("ann", "bob", "3.0")


def test_an_open_home_grows_with_its_allowance(
    platform: Platform, ann: User, bobs: Workspace
) -> None:
    home = home_of(bobs.user)
    version = platform.feed.version(bobs.user.id)
    allow(platform, ann, disk_bytes=20 << 30)
    assert platform.storage.capacity(home) == 20 << 30
    assert administration.user(ann, "bob").home.allowance_bytes == 20 << 30
    assert platform.feed.version(bobs.user.id) != version, "the owner's page learns of it"


def test_an_allowance_is_set_whatever_the_home_is_doing(
    platform: Platform, ann: User, bobs: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("not now")

    monkeypatch.setattr(platform.storage, "unlock", refuse)
    allow(platform, ann, disk_bytes=20 << 30)
    assert allowance_of(platform.settings, bobs.user).disk_bytes == 20 << 30


def test_an_account_that_is_being_deleted_does_not_come_back(
    platform: Platform, ann: User, bobs: Workspace, engine: WatchedEngine
) -> None:
    engine.failing["stop"] = EngineError("not now")
    deletion.delete_own(platform, bobs.user, utcnow(), PASSWORD, address="")
    with pytest.raises(Conflict, match="being deleted"):
        administration.resume(ann, utcnow(), "bob", address="")


@pytest.mark.parametrize(
    "change",
    [
        {"disk_bytes": (64 << 20) - 1}, {"disk_bytes": 1 << 60}, {"hours": -0.1},
        {"hours": float("nan")}, {"hours": float("inf")},
        {"workspaces": -1}, {"workspaces": 10**12}, {"cpus": 0.0}, {"cpus": float("nan")},
        {"cpus": float("inf")}, {"memory_bytes": 1}, {"memory_bytes": 1 << 80}, {"pids": 1},
        {"pids": 1 << 40},
    ],
)  # fmt: skip
def test_allowances_are_bounded(
    platform: Platform, ann: User, bob: User, change: dict[str, object]
) -> None:
    with pytest.raises(BadInput):
        allow(platform, ann, **change)


def test_the_list_of_users_counts_workspaces(
    ann: User, bobs: Workspace, platform: Platform
) -> None:
    workspaces.create(platform, bobs.user, utcnow(), "other", actor=ACTOR)
    rows = administration.users(ann)
    assert [(r.user.username, r.workspaces, r.running) for r in rows] == [
        ("ann", 0, 0),
        ("bob", 2, 1),
    ]


@pytest.mark.parametrize("page", [-5, 0, 1, 2, 10**30])
def test_every_page_of_the_log_can_be_asked_for(
    ann: User, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administration, "EVENTS_A_PAGE", 2)
    for _ in range(2):
        accounts.sign_in(ann, utcnow(), address="192.0.2.1", agent="")
    rows, pages = administration.events(ann, page)
    assert pages == 2
    expected = ["account.registered"] if page > 1 else ["account.signed-in"] * 2
    assert [row.action for row in rows] == expected


def test_events_say_who_did_what_to_what_and_from_where(
    platform: Platform, ann: User, bob: User
) -> None:
    suspend(platform, ann)
    event = administration.events(ann, 1)[0][0]
    assert (event.actor, event.action, event.target) == ("ann", "account.suspended", "bob")
    assert event.address == "192.0.2.9"


@pytest.mark.parametrize("right", Right)
def test_a_workspace_is_its_owners_alone(
    ann: User, bob: User, bobs: Workspace, right: Right
) -> None:
    assert access.workspace_for(bob, "main", right).id == bobs.id
    with pytest.raises(NotFound):
        access.workspace_for(ann, "main", right)
    bob.standing = Standing.SUSPENDED
    with pytest.raises(Forbidden):
        access.workspace_for(bob, "main", right)
    db.session.rollback()


def test_equal_names_lead_everyone_to_their_own(
    platform: Platform, ann: User, bob: User, bobs: Workspace
) -> None:
    anns = workspaces.create(platform, ann, utcnow(), "main", actor=Actor("ann"))
    assert access.workspace_for(ann, "main", Right.MANAGE).id == anns.id
    assert access.workspace_for(bob, "main", Right.MANAGE).id == bobs.id


def test_rights_are_the_owners_and_no_suspended_ones(ann: User, bob: User, bobs: Workspace) -> None:
    assert access.rights(bob, bobs) == frozenset(Right)
    assert access.rights(ann, bobs) == frozenset(), "not even an administrator looks in"
    bob.standing = Standing.SUSPENDED
    assert access.rights(bob, bobs) == frozenset()
    db.session.rollback()


@pytest.mark.parametrize("name", ["", "nope", "a\x00b", "../main", "x" * 10_000_000])
def test_an_odd_name_is_as_absent_as_any(bob: User, bobs: Workspace, name: str) -> None:
    with pytest.raises(NotFound) as caught:
        access.workspace_for(bob, name, Right.VIEW)
    assert len(str(caught.value)) < 200


def test_taken_names_are_taken(platform: Platform, bob: User) -> None:
    with pytest.raises(AlreadyExists):
        account(platform.settings, "bob")
