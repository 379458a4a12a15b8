from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models import Login, Pass, Standing, User, Workspace, db, utcnow, writing
from orchestrator.passwords import fingerprint
from orchestrator.previews import Label, passes
from tests.app_fixtures import on_both_databases
from tests.orchestrator.previews.conftest import PORT, Browser, Enter, SignIn

pytestmark = on_both_databases
LIFETIME = timedelta(hours=1)


@pytest.fixture
def anns(browser: SignIn, made: Workspace) -> Browser:
    return browser(made.user)


@pytest.fixture
def find(made: Workspace) -> Callable[..., User | None]:
    """Return ``find(*secrets)``: whose they are, who shows them to Ann's preview."""

    def look(*secrets: str, port: int = PORT, later: float = 0) -> User | None:
        now = utcnow() + timedelta(seconds=later)
        found = passes.find(secrets, made.id, port, now, LIFETIME)
        return found[1] if found else None

    return look


def of(secret: str) -> Pass:
    return db.session.scalars(select(Pass).where(Pass.secret_hash == fingerprint(secret))).one()


def seen(login: Login, later: float) -> None:
    with writing():
        db.session.get(Login, login.id).last_seen_at = utcnow() + timedelta(seconds=later)


def test_a_pass_says_whose_it_is(anns: Browser, entered: Enter, find: Callable) -> None:
    assert find(entered(anns)) == anns.user
    assert find() is None
    assert find("x" * 43) is None


def test_a_pass_is_for_one_port(anns: Browser, entered: Enter, find: Callable) -> None:
    assert find(entered(anns), port=PORT + 1) is None
    assert find(entered(anns, Label(PORT + 1, "main", "ann")), port=PORT + 1) == anns.user


def test_of_several_the_newest_counts(
    anns: Browser, made: Workspace, entered: Enter, browser: SignIn
) -> None:
    older, newer = entered(anns), entered(browser(made.user))
    for shown in ((older, newer), (newer, older), ("x", newer)):
        found = passes.find(shown, made.id, PORT, utcnow(), LIFETIME)
        assert found is not None
        assert found[0] == of(newer)


def test_a_pass_ends_at_its_moment(anns: Browser, entered: Enter, find: Callable) -> None:
    secret = entered(anns)
    seen(anns.login, passes.PASS_SECONDS)
    assert find(secret, later=passes.PASS_SECONDS - 60) == anns.user
    assert find(secret, later=passes.PASS_SECONDS) is None


def test_a_pass_ends_with_a_sign_in_that_nobody_uses(
    anns: Browser, entered: Enter, find: Callable
) -> None:
    secret = entered(anns)
    seen(anns.login, 0)
    assert find(secret, later=LIFETIME.total_seconds() - 60) == anns.user
    assert find(secret, later=LIFETIME.total_seconds() + 1) is None


def test_who_is_suspended_has_none(anns: Browser, entered: Enter, find: Callable) -> None:
    secret = entered(anns)
    with writing():
        db.session.get(User, anns.user.id).standing = Standing.SUSPENDED
    assert find(secret) is None


def test_passes_of_one_login_do_not_pile_up(
    anns: Browser, made: Workspace, browser: SignIn, entered: Enter, find: Callable
) -> None:
    others = entered(browser(made.user)), entered(anns, Label(PORT + 1, "main", "ann"))
    secrets = [entered(anns) for _ in range(passes.PASSES_EACH + 3)]
    good = [secret for secret in secrets if find(secret)]
    assert good == secrets[-passes.PASSES_EACH :]
    assert find(others[0])
    assert find(others[1], port=PORT + 1)


def test_passes_are_deleted_when_their_time_is_over(anns: Browser, entered: Enter) -> None:
    until = of(entered(anns)).expires_at
    for now, left in ((until - timedelta(seconds=1), 1), (until, 0)):
        passes.delete_expired(now)
        assert db.session.scalar(select(func.count(Pass.id))) == left
