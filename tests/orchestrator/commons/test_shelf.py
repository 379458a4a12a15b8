"""What is shown of shared files, whatever lies there."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from models import utcnow
from orchestrator.commons import shelf
from orchestrator.errors import NotFound
from orchestrator.platform import Platform

TOP = Path()


@pytest.fixture
def put(platform: Platform) -> Callable[[str], Path]:
    """Return ``put(path)``: a file of Ann's share."""

    def make(path: str) -> Path:
        file = platform.store.share("ann") / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"hello")
        return file

    return make


def names(platform: Platform, path: Path = TOP) -> list[str]:
    return [one.name for one in shelf.listing(platform, "ann", path)]


def test_folders_come_first_with_sizes_and_dates(
    platform: Platform, put: Callable[[str], Path]
) -> None:
    for path in ("b.txt", "a.txt", "z/deep/file"):
        put(path)
    found = shelf.listing(platform, "ann", TOP)
    assert [(one.path, one.directory, one.size_bytes) for one in found] == [
        ("z", True, 0), ("a.txt", False, 5), ("b.txt", False, 5)
    ]  # fmt: skip
    assert abs(found[1].modified_at - utcnow()) < timedelta(minutes=1)
    assert [one.path for one in shelf.listing(platform, "ann", Path("z/deep"))] == ["z/deep/file"]
    with pytest.raises(NotFound):
        shelf.listing(platform, "ann", Path("none"))
    with pytest.raises(NotFound):
        shelf.listing(platform, "ann", Path("a.txt"))
    assert shelf.listing(platform, "nobody", TOP) == []


def test_a_file_is_read_as_it_was_when_it_was_opened(
    platform: Platform, put: Callable[[str], Path]
) -> None:
    file = put("a/b")
    found = shelf.opened(platform, "ann", Path("a/b"))
    file.unlink()
    assert (found.size_bytes, b"".join(found)) == (5, b"hello")
    with pytest.raises(NotFound):
        shelf.opened(platform, "ann", Path("a/b"))


def test_no_link_is_followed_and_only_plain_files_are_sent(
    platform: Platform, put: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    share = put("file").parent
    (share / "link").symlink_to(tmp_path / "secret")
    (share / "folder").symlink_to(tmp_path)
    os.mkfifo(share / "pipe")
    (share / ".hidden").touch()
    (share / "bad\nname").touch()
    assert names(platform) == ["file"]
    for path in ("link", "folder/secret", "pipe", "folder"):
        with pytest.raises(NotFound):
            shelf.opened(platform, "ann", Path(path))
    with pytest.raises(NotFound):
        shelf.listing(platform, "ann", Path("folder"))


def test_a_share_that_is_a_link_itself_shows_nothing(
    platform: Platform, put: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    owner = put("file").parent.parent
    (owner / "share").rename(owner / "other")
    (owner / "share").symlink_to(tmp_path)
    assert names(platform) == []
    with pytest.raises(NotFound):
        shelf.opened(platform, "ann", Path("secret"))


def test_a_listing_ends_somewhere(
    platform: Platform, put: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "ENTRIES_MAX", 2)
    for name in "cab":
        put(name)
    assert names(platform) == ["a", "b"]
