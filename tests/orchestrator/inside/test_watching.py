import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.watching import PROGRAM
from tests.orchestrator.inside.program import Program


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Return ``watch(folders, files)``: a program that watches them by now."""
    made = []

    def begin(*folders: Path, files: tuple[Path, ...] = ()) -> Program:
        program = Program(PROGRAM, tmp_path)
        made.append(program)
        again(program, *folders, files=files)
        return program

    yield begin
    for program in made:
        program.leave()


def again(program: Program, *folders: Path, files: tuple[Path, ...] = ()) -> None:
    program.ask(watch=[str(path) for path in folders], files=[str(path) for path in files])
    while "watching" not in program.next():
        pass


def changes(program: Program, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what was told, by path, once ``until`` holds of it."""
    told: dict[str, Any] = {}
    while not until(told):
        said = program.next()
        assert said is not None
        for change in said.pop("changed", []):
            told[change.pop("path")] = change
        told |= said
    return told


def git(folder: Path, *words: str) -> None:
    name = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", folder, *name, *words], check=True, capture_output=True)


def test_what_happens_in_a_folder_is_told(tmp_path: Path, watch: Callable[..., Program]) -> None:
    (tmp_path / "old").write_text("1")
    (tmp_path / "gone").write_text("1")
    program = watch(tmp_path)
    (tmp_path / "new").write_text("1")
    (tmp_path / "old").write_text("2")
    (tmp_path / "gone").unlink()
    told = changes(program, lambda told: len(told) == 3)
    assert told == {
        f"{tmp_path}/new": {"kind": "created"},
        f"{tmp_path}/old": {"kind": "changed"},
        f"{tmp_path}/gone": {"kind": "removed"},
    }


def test_a_rename_says_from_where(tmp_path: Path, watch: Callable[..., Program]) -> None:
    (tmp_path / "a").write_text("1")
    program = watch(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    told = changes(program, bool)
    assert told == {f"{tmp_path}/b": {"kind": "moved", "from": f"{tmp_path}/a"}}


def test_a_file_that_is_written_beside_and_moved_over_has_changed(
    tmp_path: Path, watch: Callable[..., Program]
) -> None:
    (tmp_path / "a").write_text("1")
    program = watch(tmp_path)
    (tmp_path / ".a.tmp").write_text("2")
    (tmp_path / ".a.tmp").rename(tmp_path / "a")
    told = changes(program, bool)
    assert told == {f"{tmp_path}/a": {"kind": "changed"}}


def test_of_a_files_folder_only_the_file_counts(
    tmp_path: Path, watch: Callable[..., Program]
) -> None:
    file = tmp_path / "open"
    file.write_text("1")
    program = watch(files=(file,))
    (tmp_path / "other").write_text("1")
    file.write_text("2")
    assert changes(program, bool) == {str(file): {"kind": "changed"}}


def test_a_new_list_replaces_the_old_one(tmp_path: Path, watch: Callable[..., Program]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    program = watch(one)
    again(program, two)
    (one / "silent").write_text("1")
    (two / "heard").write_text("1")
    assert changes(program, bool) == {f"{two}/heard": {"kind": "created"}}


def test_a_folder_by_two_names_is_told_by_both(
    tmp_path: Path, watch: Callable[..., Program]
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    program = watch(real, link)
    again(program, real, link)
    (real / "a").write_text("1")
    assert set(changes(program, lambda told: len(told) == 2)) == {f"{real}/a", f"{link}/a"}
    again(program, link)
    (real / "b").write_text("1")
    assert set(changes(program, bool)) == {f"{link}/b"}


def test_what_cannot_be_watched_is_named(tmp_path: Path, watch: Callable[..., Program]) -> None:
    (tmp_path / "file").write_text("1")
    program = watch(tmp_path)
    program.ask(watch=[f"{tmp_path}/none", f"{tmp_path}/file", str(tmp_path)], files=[])
    assert program.next() == {"unwatched": [f"{tmp_path}/none", f"{tmp_path}/file"]}


def test_a_folder_that_is_removed_or_moved_is_told(
    tmp_path: Path, watch: Callable[..., Program]
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    program = watch(tmp_path / "one", tmp_path / "two")
    (tmp_path / "one").rmdir()
    (tmp_path / "two").rename(tmp_path / "three")
    told = changes(program, lambda told: len(told) == 2)
    assert told == {f"{tmp_path}/{name}": {"kind": "removed"} for name in ("one", "two")}
    (tmp_path / "two").mkdir()
    again(program, tmp_path / "two")
    (tmp_path / "three" / "silent").write_text("1")
    (tmp_path / "two" / "heard").write_text("1")
    assert set(changes(program, bool)) == {f"{tmp_path}/two/heard"}


def test_names_of_all_bytes_travel(tmp_path: Path, watch: Callable[..., Program]) -> None:
    program = watch(tmp_path)
    with open(os.fsencode(tmp_path) + b"/\xff\n\x01", "w"):
        pass
    assert set(changes(program, bool)) == {f"{tmp_path}/\U0010ffff\n\x01"}


def test_a_flood_is_told_as_one_word(tmp_path: Path, watch: Callable[..., Program]) -> None:
    program = watch(tmp_path)
    for number in range(20_000):
        os.mknod(tmp_path / str(number))
    assert "lost" in changes(program, lambda told: "lost" in told)


def test_git_says_when_a_repository_changes(tmp_path: Path, watch: Callable[..., Program]) -> None:
    git(tmp_path, "init", "-b", "main")
    inner = tmp_path / "src"
    inner.mkdir()
    program = watch(inner)
    git(tmp_path, "commit", "--allow-empty", "-m", "one")
    assert changes(program, bool) == {"git": True}
    git(tmp_path, "branch", "side/deep")
    assert changes(program, bool) == {"git": True}
    (inner / "a").write_text("1")
    assert changes(program, bool) == {f"{inner}/a": {"kind": "created"}}
    git(tmp_path, "add", "src/a")
    assert "git" in changes(program, lambda told: "git" in told)


def test_a_repository_that_is_made_later_is_heard_of(
    tmp_path: Path, watch: Callable[..., Program]
) -> None:
    program = watch(tmp_path)
    git(tmp_path, "init", "-b", "main")
    assert "git" in changes(program, lambda told: "git" in told)
    again(program, tmp_path)
    git(tmp_path, "commit", "--allow-empty", "-m", "one")
    assert "git" in changes(program, lambda told: "git" in told)


def test_a_worktree_is_heard_of(tmp_path: Path, watch: Callable[..., Program]) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    main.mkdir()
    git(main, "init", "-b", "main")
    git(main, "commit", "--allow-empty", "-m", "one")
    git(main, "worktree", "add", tree)
    program = watch(tree)
    git(tree, "commit", "--allow-empty", "-m", "two")
    assert changes(program, bool) == {"git": True}


def test_looking_at_the_status_is_no_change(tmp_path: Path, watch: Callable[..., Program]) -> None:
    git(tmp_path, "init", "-b", "main")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    os.utime(tmp_path / "a", (1, 1))
    program = watch(tmp_path)
    git(tmp_path, "--no-optional-locks", "status")
    (tmp_path / "b").write_text("1")
    assert changes(program, bool) == {f"{tmp_path}/b": {"kind": "created"}}


def test_a_pipe_where_git_keeps_a_link_keeps_nobody_waiting(
    tmp_path: Path, watch: Callable[..., Program]
) -> None:
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".git" / "commondir")
    program = watch(tmp_path)
    (tmp_path / "b").write_text("1")
    assert changes(program, bool) == {f"{tmp_path}/b": {"kind": "created"}}


def test_it_ends_with_its_input(tmp_path: Path) -> None:
    program = Program(PROGRAM, tmp_path)
    again(program, tmp_path)
    assert program.leave() == -signal.SIGKILL
