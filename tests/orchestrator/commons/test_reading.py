"""What is in a repository, also where somebody put things there to do harm."""

import os
import tarfile
from pathlib import Path

import pytest

from models import Repository
from orchestrator.commons import diffs, export, facts, history, reading, source
from orchestrator.commons.kept import Kept
from orchestrator.commons.reading import Kind
from orchestrator.commons.source import Source
from orchestrator.errors import BadInput, Conflict, NotFound, RootBloodError
from orchestrator.platform import Platform
from tests.orchestrator.commons.git_client import Client
from tests.orchestrator.commons.published import Work

HOSTILE = [
    "--output=/tmp/rb-owned", "-x", "--all", "main^", "main~1", "main:README.md", "@{-1}", "a..b",
    "HEAD^{tree}", "\n", "main\0x", "refs/../../config", ":/Begin", "x" * 10_000, "",
]  # fmt: skip


@pytest.fixture
def here(platform: Platform, hello: Repository) -> Source:
    return source.of(platform, hello)


@pytest.fixture
def tip(here: Source, hello: Repository) -> str:
    found = reading.head(here, hello)
    assert found is not None
    return found


def test_revisions_are_branches_tags_and_ids(
    here: Source, hello: Repository, anns: Work, tip: str
) -> None:
    anns.push(hello, "feature/one")
    Client(here.path).ok("tag", "v1", tip)
    for revision in ("main", "v1", "feature/one", tip, tip[:8], "HEAD", "refs/heads/main"):
        assert reading.resolve(here, revision) == tip


@pytest.mark.parametrize("revision", [*HOSTILE, "nope", "config", "f" * 40])
def test_what_is_no_revision_is_not_found(here: Source, revision: str) -> None:
    with pytest.raises(NotFound):
        reading.resolve(here, revision)
    with pytest.raises(NotFound):
        reading.split(here, f"{revision}/README.md")


def test_the_longest_branch_in_an_address_wins(
    here: Source, hello: Repository, anns: Work, tip: str
) -> None:
    anns.push(hello, "feature/one")
    assert reading.split(here, "feature/one/src/x.py") == ("feature/one", tip, "src/x.py")
    assert reading.split(here, "main") == ("main", tip, "")
    assert reading.split(here, f"{tip}/a b/ü") == (tip, tip, "a b/ü")


def test_a_branch_that_looks_like_an_id_does_not_pass_for_it(
    here: Source, hello: Repository, anns: Work, tip: str
) -> None:
    """Such a name is refused on push; one that is there all the same deceives nobody."""
    other = anns.commit("Other", other_txt="x")
    anns.push(hello)
    packed = here.path / "refs" / "heads" / tip
    packed.write_text(f"{other}\n")
    assert reading.resolve(here, tip) == tip


def test_refs_come_with_their_commits(here: Source, hello: Repository, tip: str) -> None:
    Client(here.path, {"GIT_COMMITTER_NAME": "T", "GIT_COMMITTER_EMAIL": "t@x"}).ok(
        "tag", "-a", "-m", "One\n\nmore", "v1", tip
    )
    (branch,), (tag,) = reading.branches(here), reading.tags(here)
    assert (branch.name, branch.commit, branch.subject, branch.author) == (
        "main", tip, "Begin", "ann"
    )  # fmt: skip
    assert (tag.name, tag.commit, tag.subject) == ("v1", tip, "One")


def test_folders_and_files(here: Source, hello: Repository, anns: Work) -> None:
    top = anns.tree.where
    (top / "src").mkdir()
    (top / "src" / "run.sh").write_text("#!/bin/sh\n")
    (top / "src" / "run.sh").chmod(0o755)
    os.symlink("/etc/passwd", top / "src" / "link")
    anns.commit("Add", nul_bin=b"\0\1")
    tip = anns.push(hello)
    assert [one.name for one in reading.tree(here, tip)] == [
        "src", "README.md", "main.py", "nul.bin"
    ]  # fmt: skip
    link, run = reading.tree(here, tip, "src")
    assert (link.kind, link.size, run.executable) == (Kind.LINK, 11, True)
    blob = reading.blob(here, tip, "src/link")
    assert blob.text == "/etc/passwd", "a link is what it says, never where it leads"
    assert reading.blob(here, tip, "nul.bin").binary
    size, pieces = reading.raw(here, tip, "README.md")
    assert (size, b"".join(pieces)) == (6, b"Hello\n")
    assert reading.readme(reading.tree(here, tip)).name == "README.md"


@pytest.mark.parametrize(
    "path",
    ["nope", "README.md/x", "../config", "/etc/passwd", "a//b", "./README.md", "x\0", "src/"],
)
def test_paths_that_are_none_are_not_found(here: Source, tip: str, path: str) -> None:
    for read in (reading.tree, reading.blob, history.blame):
        with pytest.raises((NotFound, BadInput)):
            read(here, tip, path)


@pytest.mark.parametrize(
    "odd", ["new\nline", "\x1b[31mred", "-rf", ":(top)x", "*", "a\tb", '"q"', "ü"]
)
def test_odd_names_are_names(here: Source, hello: Repository, anns: Work, odd: str) -> None:
    (anns.tree.where / odd).write_text("odd\n")
    anns.commit("Odd")
    tip = anns.push(hello)
    (entry,) = [one for one in reading.tree(here, tip) if one.name == odd]
    assert entry.path == odd
    assert reading.blob(here, tip, odd).text == "odd\n"
    assert [one.subject for one in history.log(here, tip, odd)] == ["Odd"]
    assert history.last_changes(here, tip, "", [odd])[odd].id == tip
    (changed,) = diffs.diff(here, f"{history.commit(here, tip).parents[0]}", tip).files
    assert (changed.path, changed.added) == (odd, 1)
    assert history.blame(here, tip, odd)[0].lines == ("odd",)


def test_a_large_file_is_cut_and_can_be_had_whole(
    here: Source, hello: Repository, anns: Work
) -> None:
    anns.commit("Large", large_txt=b"x" * (3 << 20))
    tip = anns.push(hello)
    blob = reading.blob(here, tip, "large.txt")
    assert (blob.size, len(blob.data), blob.truncated) == (3 << 20, reading.BLOB_BYTES_MAX, True)
    with pytest.raises(Conflict):
        history.blame(here, tip, "large.txt")
    assert sum(map(len, reading.raw(here, tip, "large.txt")[1])) == 3 << 20


def test_a_huge_folder_is_cut(here: Source, hello: Repository, anns: Work) -> None:
    blob = anns.tree.ok("hash-object", "-w", "--stdin", stdin=b"x")
    lines = "".join(f"100644 blob {blob}\tfile{n:06}\n" for n in range(30_000)).encode()
    tree = anns.tree.ok("mktree", stdin=lines)
    tip = anns.tree.ok("commit-tree", tree, "-m", "Huge")
    anns.push(hello, "main", tip)
    assert len(reading.tree(here, tip)) == reading.FOLDER_ENTRIES_MAX
    found = diffs.diff(here, None, tip)
    assert found.truncated
    assert len(found.files) == diffs.FILES_MAX


def test_history(here: Source, hello: Repository, anns: Work, tip: str) -> None:
    second = anns.commit("Second\n\nWith a body\x1b[0m", README_md="Hi\n")
    anns.push(hello)
    newest, oldest = history.log(here, second)
    assert (newest.id, newest.parents, newest.subject) == (second, (tip,), "Second")
    assert newest.body == "With a body\x1b[0m"
    assert (oldest.author, oldest.email) == ("ann", "ann@example.org")
    assert [one.id for one in history.log(here, second, "main.py")] == [tip]
    assert [one.id for one in history.log(here, second, skip=1)] == [tip]
    assert [one.id for one in history.between(here, tip, second)] == [second]
    assert history.ahead_behind(here, tip, second) == (1, 0)
    assert history.merge_base(here, tip, second) == tip
    changes = history.last_changes(here, second, "", ["README.md", "main.py", "absent"])
    assert {name: one.id for name, one in changes.items()} == {
        "README.md": second, "main.py": tip
    }  # fmt: skip
    with pytest.raises(NotFound):
        history.commit(here, "f" * 40)


def test_distances_of_many_branches_are_those_of_each(
    here: Source, hello: Repository, anns: Work, tip: str
) -> None:
    main = anns.commit("On main", README_md="Hi\n")
    anns.tree.ok("checkout", "-q", "-b", "side", tip)
    side = anns.commit("Aside", side_py="1\n")
    anns.tree.ok("merge", "-q", "-m", "Take main", main)
    merged = anns.commit("After it", side_py="2\n")
    anns.push(hello)
    anns.push(hello, "side")
    heads = [main, side, merged, tip]
    found = history.distances(here, main, heads)
    assert found == {head: history.ahead_behind(here, main, head) for head in heads}
    assert found[merged] == (3, 0)
    anns.tree.ok("checkout", "-q", "--orphan", "alone")
    alone = anns.commit("Alone", README_md="Alone\n")
    anns.push(hello, "alone")
    assert history.distances(here, main, [side, alone]) == {}


def test_blame_tells_lines_apart(here: Source, hello: Repository, anns: Work, tip: str) -> None:
    second = anns.commit("Second", main_py="a\nB\nc\nd\ne\nf\ng\nh\n")
    anns.push(hello)
    assert [(one.commit, one.start, len(one.lines)) for one in
            history.blame(here, second, "main.py")] == [
        (tip, 1, 1), (second, 2, 1), (tip, 3, 6)
    ]  # fmt: skip


def test_a_diff_has_lines_with_numbers(
    here: Source, hello: Repository, anns: Work, tip: str
) -> None:
    anns.tree.ok("mv", "README.md", "READ.md")
    second = anns.commit("Second", main_py="a\nB\nc\nd\ne\nf\ng\nh\n", nul_bin=b"\0")
    anns.push(hello)
    moved, changed, binary = diffs.diff(here, tip, second).files
    assert (moved.status, moved.old_path, moved.path) == ("R", "README.md", "READ.md")
    assert (binary.binary, binary.added) == (True, 0)
    (hunk,) = changed.hunks
    assert [(one.kind, one.old, one.new, one.text) for one in hunk.lines[:4]] == [
        (" ", 1, 1, "a"), ("-", 2, None, "b"), ("+", None, 2, "B"), (" ", 3, 3, "c")
    ]  # fmt: skip


def test_a_file_that_becomes_a_link_is_one_change(
    here: Source, hello: Repository, anns: Work, tip: str
) -> None:
    (anns.tree.where / "README.md").unlink()
    os.symlink("main.py", anns.tree.where / "README.md")
    second = anns.commit("Link", zzz_txt="z\n")
    anns.push(hello)
    linked, added = diffs.diff(here, tip, second).files
    assert (linked.status, linked.path, len(linked.hunks)) == ("T", "README.md", 2)
    assert added.hunks[0].lines[0].text == "z"


def test_lines_that_look_like_a_patch_are_lines(
    here: Source, hello: Repository, anns: Work, tip: str
) -> None:
    text = "diff --git a/x b/x\n@@ -1 +1 @@\n--- a/x\n+++ b/x\n"
    second = anns.commit("Patch", x_patch=text, y_txt="y\n")
    anns.push(hello)
    patch, other = diffs.diff(here, tip, second).files
    assert [one.text for one in patch.hunks[0].lines] == text.splitlines()
    assert other.hunks[0].lines[0].text == "y"


def test_nothing_that_is_committed_is_run(
    here: Source, hello: Repository, anns: Work, tmp_path: Path
) -> None:
    """Configuration, hooks and drivers in a tree are files like others."""
    owned = tmp_path / "owned"
    top = anns.tree.where
    (top / "bare").mkdir()
    anns.tree.ok("init", "--quiet", "--bare", "bare/inner")
    (top / "bare" / "inner" / "config").write_text(
        f'[core]\n fsmonitor = "touch {owned}"\n pager = "touch {owned}"\n bare = true\n'
        f'[diff "x"]\n textconv = "touch {owned}; cat"\n command = "touch {owned}"\n'
        f'[filter "x"]\n smudge = "touch {owned}"\n clean = "touch {owned}"\n'
        f'[merge "x"]\n driver = "touch {owned}"\n'
    )
    attributes = "* diff=x filter=x merge=x export-subst ident\n"
    (top / ".gitattributes").write_text(attributes)
    anns.tree.ok("config", "filter.x.required", "false")
    before = reading.head(here, hello)
    tip = anns.commit("Hostile", main_py="changed\n")
    anns.push(hello)
    diffs.diff(here, before, tip)
    history.blame(here, tip, "main.py")
    b"".join(reading.archive(here, tip, "x", "tar.gz"))
    history.last_changes(here, tip, "", ["main.py"])
    assert not owned.exists()


def test_an_archive_holds_the_files(here: Source, tip: str) -> None:
    assert b"".join(reading.archive(here, tip, "hello", "zip"))[:2] == b"PK"
    assert b"".join(reading.archive(here, tip, "hello", "tar.gz"))[:2] == b"\x1f\x8b"
    with pytest.raises(BadInput):
        reading.archive(here, tip, "hello", "--remote=x")


@pytest.mark.parametrize(
    ("path", "language"),
    [("a.py", "Python"), ("x/Makefile", "Makefile"), ("A.CPP", "C++"), ("README", ""),
     ("vendor/x.c", ""), ("Dockerfile", "Dockerfile"), (".py", "Python"), ("a.", "")],
)  # fmt: skip
def test_a_language_is_told_by_the_name(path: str, language: str) -> None:
    assert facts.language_of(path) == language


def test_facts_of_a_rewritten_history_are_measured_anew(
    here: Source, hello: Repository, anns: Work
) -> None:
    anns.tree.ok("commit", "--amend", "-m", "Rewritten", "--author=Bob <b@x>")
    tip = anns.push(hello)
    found = facts.measure(here, tip, {"head": "f" * 40, "people": [["ann", 99]]})
    assert (found["commits"], found["people"]) == (1, [["Bob", 1]])


def test_what_is_kept_has_an_end() -> None:
    kept = Kept(800)
    for number in range(100):
        kept.put((1, (str(number),)), b"x" * 50)
    assert kept.get((1, ("0",))) is None
    assert kept.get((1, ("99",))) == b"x" * 50
    assert kept.get((2, ("99",))) is None
    kept.put((1, ("large",)), b"x" * 500)
    assert kept.get((1, ("large",))) is None


def test_an_export_holds_bundles_that_git_clones(
    platform: Platform, hello: Repository, tmp_path: Path
) -> None:
    share = platform.store.share("ann")
    share.mkdir(parents=True, exist_ok=True)
    (share / "notes.txt").write_text("notes")
    os.symlink("/etc/passwd", share / "link")
    pieces = export.tar(platform, hello.owner)
    with pytest.raises(Conflict):
        export.tar(platform, hello.owner)
    (tmp_path / "all.tar").write_bytes(b"".join(pieces))
    client = Client(tmp_path)
    with tarfile.open(tmp_path / "all.tar") as packed:
        assert packed.getnames() == ["repositories/hello.bundle", "share/notes.txt"]
        packed.extractall(tmp_path, filter="data")
    client.ok("clone", "--quiet", "repositories/hello.bundle", "out")
    assert (tmp_path / "out" / "README.md").read_text() == "Hello\n"
    export.tar(platform, hello.owner).close()
    export.tar(platform, hello.owner).close()


def test_a_repository_that_is_gone_is_an_error_of_ours(platform: Platform, here: Source) -> None:
    os.rename(here.path, here.path.with_suffix(".moved"))
    assert reading.branches(here) == []
    for read in (lambda: reading.resolve(here, "main"), lambda: reading.tree(here, "f" * 40)):
        with pytest.raises(RootBloodError):
            read()
