"""What every storage promises: the other half of orchestrator/storage/__init__.py."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import AllowanceReached, StorageError, WrongKey
from orchestrator.storage import Feature, Home
from tests.orchestrator.storage.conftest import MIB, OWNER, Case

TARGET = "/home/alice"


def write(case: Case, name: str, text: str) -> None:
    if tree := case.tree(name):
        (tree / "file").write_text(text)


def check(case: Case, name: str, text: str | None) -> None:
    if tree := case.tree(name):
        file = tree / "file"
        assert (file.read_text() if file.exists() else None) == text


def ownership(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode & 0o7777


def test_first_use_makes_an_empty_home_that_is_its_owners_alone(
    case: Case, home: Home, key: bytes
) -> None:
    assert home.name not in case.storage.unlocked()
    assert not case.storage.is_unlocked(home.name)
    case.storage.unlock(home, key)
    assert home.name in case.storage.unlocked()
    assert case.storage.is_unlocked(home.name)
    if tree := case.tree(home.name):
        assert ownership(tree) == (*OWNER, 0o700)
        assert list(tree.iterdir()) == []


def test_a_home_whose_files_are_not_here_is_not_made_anew(
    case: Case, home: Home, key: bytes
) -> None:
    known = replace(home, known=True)
    with pytest.raises(StorageError, match="not there"):
        case.storage.unlock(known, key)
    assert not case.storage.is_unlocked(home.name)
    case.storage.unlock(home, key)
    write(case, home.name, "kept")
    case.storage.lock(home.name)
    case.storage.unlock(known, key)
    check(case, home.name, "kept")


def test_a_place_is_the_same_for_every_process(case: Case) -> None:
    assert case.again().place == case.storage.place
    assert case.again().is_place(case.storage.place)
    assert not case.storage.is_place("elsewhere")


def test_later_use_changes_nothing(case: Case, home: Home, key: bytes) -> None:
    case.storage.unlock(home, key)
    write(case, home.name, "kept")
    if tree := case.tree(home.name):
        tree.chmod(0o755)
    case.storage.unlock(home, key)
    case.storage.lock(home.name)
    case.storage.unlock(home, key)
    check(case, home.name, "kept")
    if tree:
        assert ownership(tree) == (*OWNER, 0o755), "the mode is the owner's to choose"


def test_another_process_knows_what_is_unlocked(case: Case, home: Home, key: bytes) -> None:
    case.storage.unlock(home, key)
    other = case.again()
    assert home.name in other.unlocked()
    assert other.is_unlocked(home.name)
    other.unlock(home, key)
    other.lock(home.name)
    assert (home.name in case.storage.unlocked()) == (
        Feature.ENCRYPTED not in case.storage.features
    )


def test_twenty_at_once_agree(case: Case, home: Home, key: bytes) -> None:
    storages = [case.again() for _ in range(4)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: storages[n % 4].unlock(home, key), range(20)))
    assert home.name in case.storage.unlocked()
    if tree := case.tree(home.name):
        assert ownership(tree) == (*OWNER, 0o700)


def test_a_container_gets_the_home_as_a_volume_of_its_name(
    case: Case, home: Home, key: bytes
) -> None:
    case.storage.unlock(home, key)
    mount = case.storage.mount(home.name, TARGET)
    assert (mount.source, mount.target, mount.volume) == (home.name, TARGET, True)
    assert not mount.read_only


def test_a_wrong_key_changes_nothing(case: Case, home: Home, key: bytes) -> None:
    case.storage.unlock(home, key)
    write(case, home.name, "kept")
    if Feature.ENCRYPTED not in case.storage.features:
        case.storage.unlock(home, secrets.token_bytes(32))
        return
    with pytest.raises(WrongKey):
        case.storage.unlock(home, secrets.token_bytes(32))
    assert home.name in case.storage.unlocked()
    case.storage.lock(home.name)
    with pytest.raises(WrongKey):
        case.storage.unlock(home, secrets.token_bytes(32))
    assert home.name not in case.storage.unlocked()
    case.storage.unlock(home, key)
    check(case, home.name, "kept")


def test_locking_is_repeatable_and_absent_is_success(case: Case, home: Home, key: bytes) -> None:
    case.storage.lock(home.name)
    case.storage.unlock(home, key)
    case.storage.lock(home.name)
    case.storage.lock(home.name)
    encrypted = Feature.ENCRYPTED in case.storage.features
    assert (home.name in case.storage.unlocked()) != encrypted
    assert case.storage.is_unlocked(home.name) != encrypted
    if encrypted:
        assert case.storage.usage(home.name) is None
        assert case.storage.capacity(home.name) is None


def test_capacity_is_what_was_asked_for(case: Case, home: Home, key: bytes) -> None:
    case.storage.unlock(home, key)
    capacity = case.storage.capacity(home.name)
    if Feature.CAPPED not in case.storage.features:
        assert capacity is None
    else:
        assert capacity == pytest.approx(home.capacity_bytes, rel=0.01)
        assert case.storage.usage(home.name) == pytest.approx(0, abs=MIB / 4)


def test_what_is_reserved_for_snapshots_is_bounded_by_what_files_leave(
    case: Case, home: Home, key: bytes
) -> None:
    case.storage.unlock(home, key)
    case.storage.reserve(home.name, 20 * MIB)
    if Feature.CAPPED in case.storage.features:
        with pytest.raises(AllowanceReached):
            case.storage.reserve(home.name, 65 * MIB)
    case.storage.reserve(home.name, 65 * MIB, partly=True)
    case.storage.reserve(home.name, 30 * MIB)
    case.storage.reserve(home.name, 0)
    case.storage.unlock(replace(home, reserved_bytes=10 * MIB), key)


def test_the_brake_can_be_put_on_and_off_at_any_time(case: Case, home: Home, key: bytes) -> None:
    case.storage.brake(home.name, True)
    case.storage.unlock(home, key)
    for on in (True, True, False, False):
        case.storage.brake(home.name, on)
    write(case, home.name, "x")
    check(case, home.name, "x")


def test_freezing_tells_whether_it_does(case: Case, home: Home, key: bytes) -> None:
    case.storage.unlock(home, key)
    with case.storage.frozen(home.name) as frozen:
        assert frozen == (Feature.FREEZES in case.storage.features)
    write(case, home.name, "thawed")


def test_what_was_staged_takes_the_homes_place(case: Case, home: Home, key: bytes) -> None:
    case.storage.unlock(home, key)
    write(case, home.name, "old")
    case.storage.stage(home, key)
    if (tree := case.tree(home.name)) and (staged := case.tree(f"{home.name}.staged")):
        assert list(staged.iterdir()) == []
        assert ownership(staged) == (*OWNER, 0o700)
        (staged / "file").write_text("new")
        (tree / "gone").write_text("")
    case.storage.adopt(home, key)
    case.storage.unlock(home, key)
    check(case, home.name, "new")
    if tree:
        assert [path.name for path in tree.iterdir()] == ["file"]
    case.storage.adopt(home, key)
    check(case, home.name, "new")


def test_staging_again_starts_from_nothing(case: Case, home: Home, key: bytes) -> None:
    case.storage.unlock(home, key)
    case.storage.stage(home, key)
    write(case, f"{home.name}.staged", "first")
    case.storage.stage(home, key)
    check(case, f"{home.name}.staged", None)


def test_discarding_leaves_the_home_alone(case: Case, home: Home, key: bytes) -> None:
    case.storage.unlock(home, key)
    write(case, home.name, "kept")
    case.storage.discard(home.name)
    case.storage.stage(home, key)
    write(case, f"{home.name}.staged", "new")
    case.storage.discard(home.name)
    with pytest.raises(StorageError, match="is gone"):
        case.storage.adopt(home, key)
    check(case, home.name, "kept")


def test_a_server_that_starts_throws_away_what_was_staged(
    case: Case, home: Home, key: bytes
) -> None:
    case.storage.unlock(home, key)
    write(case, home.name, "kept")
    case.storage.stage(home, key)
    case.storage.close()
    later = case.again()
    later.reconcile()
    with pytest.raises(StorageError, match="is gone"):
        later.adopt(home, key)
    later.unlock(home, key)
    check(case, home.name, "kept")


def test_destroying_removes_everything_and_absent_is_success(
    case: Case, home: Home, key: bytes
) -> None:
    case.storage.destroy(home.name)
    case.storage.unlock(home, key)
    case.storage.repository(home, "/repository")
    case.storage.stage(home, key)
    write(case, home.name, "old")
    case.storage.destroy(home.name)
    assert home.name not in case.storage.unlocked()
    case.storage.destroy(home.name)
    case.storage.unlock(home, secrets.token_bytes(32))
    check(case, home.name, None)


def test_the_repository_is_the_owners_and_needs_no_key(case: Case, home: Home, key: bytes) -> None:
    first = case.storage.repository(home, "/repository")
    assert (first, first.target) == (case.storage.repository(home, "/repository"), "/repository")
    assert first.source != home.name
    if tree := case.tree(home.name):
        path = case.tree(first.source) if first.volume else Path(first.source)
        assert path is not None
        assert ownership(path) == (*OWNER, 0o700)
        assert not path.is_relative_to(tree)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-rf", "a b", "a\n", "home.img"])
def test_what_cannot_name_a_home_is_refused(case: Case, name: str, key: bytes) -> None:
    with pytest.raises(StorageError):
        case.storage.unlock(Home(name, OWNER, 64 * MIB), key)
    with pytest.raises(StorageError):
        case.storage.destroy(name)
