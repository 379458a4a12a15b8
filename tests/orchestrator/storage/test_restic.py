import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Conflict, NotFound, SnapshotError
from orchestrator.storage import restic

ID = "a" * 64


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("docs/a.txt", "/docs/a.txt"),
        ("*", r"/\*"),
        ("a[1]?", r"/a\[1\]\?"),
        ("back\\slash", r"/back\\slash"),
        ("new\nline", "/new\nline"),
    ],
)
def test_a_path_is_a_pattern_for_itself_alone(path: str, pattern: str) -> None:
    assert restic.pattern(path) == pattern


@given(st.text().filter(lambda text: "/" not in text and "\0" not in text))
def test_no_name_has_a_meaning_in_a_pattern(name: str) -> None:
    written = restic.pattern(name)
    assert re.sub(r"\\(.)", r"\1", written, flags=re.DOTALL) == f"/{name}"
    assert not re.search(r"(?<!\\)(?:\\\\)*[*?\[]", written)


def test_what_people_name_is_never_an_option() -> None:
    for argv in (restic.find("--help"), restic.dump(ID, "--help")):
        assert all(not word.startswith("-") for word in argv[argv.index("--") + 1 :])
    argv = restic.restore(ID, "--help")
    assert argv[argv.index("--include") + 1] == "/--help"


@pytest.mark.parametrize("id", ["latest", "", "--help", "A" * 64, "a" * 63, f"{ID}\n"])
def test_only_a_whole_id_names_a_snapshot(id: str) -> None:
    for words in (restic.restore, lambda id: restic.dump(id, "x"), lambda id: restic.forget([id])):
        with pytest.raises(SnapshotError):
            words(id)


def test_snapshots_are_read_oldest_first() -> None:
    rows = [
        {"id": ID, "time": "2026-01-02T00:00:00.123456789+01:00", "tags": ["manual"]},
        {"id": "b" * 64, "time": "2026-01-01T00:00:00Z"},
    ]
    older, newer = restic.parse_snapshots([rows])
    assert (older.id, older.tags) == ("b" * 64, ())
    assert newer.taken_at == datetime(2026, 1, 1, 23, 0, 0, 123456, tzinfo=UTC)
    assert newer.tags == ("manual",)
    assert restic.parse_snapshots([]) == []


def test_an_entry_has_the_modes_of_chmod() -> None:
    node = {"name": "x", "type": "file", "mode": (1 << 23) | 0o755, "size": 3,
            "mtime": "2026-01-01T00:00:00Z"}  # fmt: skip
    entry = restic.parse_entry(node)
    assert (entry.mode, entry.type, entry.size_bytes) == (0o4755, "file", 3)
    assert restic.parse_entry({"name": "p", "type": "fifo"}).type == "other"


@pytest.mark.parametrize("text", ["", "0000-00-00T00:00:00Z", "292277026596-12-04T15:30:07Z",
                                  "0001-01-01T00:00:00+14:00"])  # fmt: skip
def test_an_impossible_time_is_that_of_1970(text: str) -> None:
    assert restic.moment(text) == datetime(1970, 1, 1, tzinfo=UTC)


def test_retention_always_keeps_the_newest() -> None:
    argv = restic.forget_by_age("scheduled", 0, 0, 0)
    assert argv[-2:] == ("--keep-last", "1")
    assert "--keep-hourly" in restic.forget_by_age("scheduled", 24, 7, 4)


@pytest.mark.parametrize(
    ("code", "said", "kind", "text"),
    [
        (restic.ABSENT, "", NotFound, "nothing at that path"),
        (restic.LINKED, "d: Not a directory", SnapshotError, "is a link now"),
        (1, "Fatal: wrong password or no key found", SnapshotError, "does not open its snapshots"),
        (1, "Fatal: unable to open config file: stat /x", SnapshotError, "not where it was"),
        (1, "one\nFatal: two\nthree", SnapshotError, "restic: two"),
        (1, "Fatal: unable to save snapshot: snapshot is empty", Conflict, restic.NOTHING),
        (7, "", SnapshotError, "restic: exit code 7"),
    ],
)
def test_failures_say_what_they_stand_for(
    code: int, said: str, kind: type[Exception], text: str
) -> None:
    error = restic.failure(code, said)
    assert type(error) is kind
    assert text in error.message


@pytest.mark.parametrize(
    ("repository", "said", "shown"),
    [
        ("rest:http://me:hush@b/x", "Get http://me:hush@b/x: EOF", "Get http://me:***@b/x: EOF"),
        ("rest:http://me:hush@b/x", "open rest:http://me:hush@b/x", "open the repository"),
        ("rest:http://me@b/x", "Get http://me@b/x", "Get http://me@b/x"),
        ("/repository", "open /repository/config", "open /repository/config"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_peer_holds_no_password(repository: str, said: str, shown: str) -> None:
    assert restic.redacted(said, repository) == shown


def test_what_came_back_in_part_is_a_failure_that_says_what_lacks() -> None:
    said = "ignoring error for /d/big: ciphertext verification failed\nFatal: There were 2 errors"
    error = restic.failure(restic.SPOILT, said)
    assert "/d/big: ciphertext verification failed" in error.message
    assert "Nothing was changed" in error.hint


def test_a_full_home_is_told_from_other_failures() -> None:
    assert restic.home_is_full("write /h/x: no space left on device")
    assert not restic.home_is_full("permission denied")
