import os
import stat
from pathlib import Path

import pytest

from orchestrator.files import over_sftp
from orchestrator.inside.replacing import Found, Skipped, changed, put, replace

ONE = Found([(0, b"a"), (2, b"bb")], [b"xyz", b""])


def test_matches_become_what_they_become() -> None:
    assert changed(b"a-bb-a", ONE) == b"xyz--a"
    assert changed(b"", Found([(0, b"")], [b"new"])) == b"new"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"b-bb", ONE), (b"a-b", ONE), (b"", ONE),
        (b"a-bb", Found([(0, b"a")], [])),
        (b"aaa", Found([(0, b"aa"), (1, b"aa")], [b"x", b"x"])),
    ],
)  # fmt: skip
def test_other_bytes_than_were_found_are_left(data: bytes, what: Found) -> None:
    with pytest.raises(Skipped):
        changed(data, what)


def test_a_file_keeps_its_mode_and_its_links(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"a-bb")
    file.chmod(0o640)
    link.symlink_to(file)
    put(os.fsencode(link), ONE, dry=False)
    assert link.is_symlink()
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"xyz-", 0o640)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_file_that_changes_at_the_last_moment_is_left(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a-bb")
    before = file.stat()
    file.write_bytes(b"something else")
    with pytest.raises(Skipped):
        replace(os.fsencode(file), b"xyz-", before)
    assert file.read_bytes() == b"something else"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("dry", [True, False])
def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path, dry: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none"):
        with pytest.raises(Skipped):
            put(os.fsencode(path), ONE, dry=dry)


def test_a_file_that_is_being_written_is_known_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes it may be killed: what is left is removed by that name."""
    (tmp_path / "file").write_bytes(b"a-bb")
    names: list[bytes] = []
    monkeypatch.setattr(os, "replace", lambda old, _: names.append(os.path.basename(old)))
    put(os.fsencode(tmp_path / "file"), ONE, dry=False)
    assert over_sftp.LEFT.fullmatch(os.fsdecode(names[0]))
