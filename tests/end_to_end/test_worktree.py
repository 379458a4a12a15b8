"""git beside the editor, with the workspace's own git on real repositories."""

from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from docker import APIClient

from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server

pytestmark = pytest.mark.engine
GIT = "/api/v1/workspaces/main/git"
_numbers = count()


class Repository:
    """A repository in somebody's home, by the shell and by the API."""

    def __init__(self, client: APIClient, person: Person) -> None:
        self.person = person
        self.top = f"t{next(_numbers)}"
        self.root = f"/home/{person.username}/{self.top}/repo"
        self._client = client
        self.shell(f"mkdir -p {self.root}")

    def shell(self, script: str) -> str:
        """Run bash in the repository."""
        script = f"cd {self.root} 2>/dev/null; {script}"
        return execute(self._client, self.person.container(), "bash", "-c", script)

    def at(self, path: str) -> str:
        """Return where a path beside the repository is, or in it."""
        return path if path.startswith("/") or not path else f"{self.top}/{path}"

    def get(self, what: str = "", **query: object) -> Any:
        for name in ("path", "root"):
            if name in query:
                query[name] = self.at(str(query[name]))
        return self.person.call("GET", f"{GIT}{what}?{urlencode(query)}")

    def post(self, what: str, **body: object) -> Any:
        return self.person.call("POST", f"{GIT}/{what}", {"root": self.root} | body)

    def status(self, path: str = "repo") -> Any:
        answer = self.get(path=path)
        assert answer.status == 200, answer
        return answer.body

    def changes(self) -> dict[str, str]:
        return {one["path"]: one["index"] + one["work"] for one in self.status()["files"]}

    def show(self, path: str, at: str, **query: object) -> bytes:
        asked = urlencode({"path": self.at(path), "at": at} | query)
        with self.person.asking("GET", f"{GIT}/show?{asked}") as answer:
            assert answer.status == 200, answer.read()
            assert answer.headers["Content-Disposition"] == "attachment"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            return answer.read()


@pytest.fixture(scope="module")
def owner(server: Server) -> Person:
    """Somebody whose workspace runs."""
    person = Person(server)
    person.open()
    return person


@pytest.fixture
def repo(owner: Person, docker_client: APIClient) -> Repository:
    """A repository with one commit of ``a`` and ``b``, in a folder of its own."""
    made = Repository(docker_client, owner)
    made.shell("git init -q -b main; echo one > a; echo two > b; git add .; git commit -qm First")
    return made


def test_where_no_repository_is_nothing_is_said(repo: Repository) -> None:
    assert repo.status("")["root"] is None
    assert repo.status("/proc")["root"] is None
    assert repo.status("none/at/all")["root"] is None


def test_every_kind_of_change_has_its_letters(repo: Repository) -> None:
    repo.shell("echo x >> a; git add a; echo y >> a; git mv b moved; echo n > 'new file'; mkdir d;"
               " echo n > d/deep; echo s > staged; git add staged")  # fmt: skip
    found = repo.status("repo/a")
    assert (found["root"], found["branch"], found["state"]) == (repo.root, "main", "")
    assert (found["detached"], found["upstream"], found["truncated"]) == (False, None, False)
    assert {one["path"]: one["index"] + one["work"] for one in found["files"]} == {
        "a": "MM", "moved": "R ", "new file": "??", "d/deep": "??", "staged": "A ",
    }  # fmt: skip
    assert [one["from"] for one in found["files"] if one["path"] == "moved"] == ["b"]


def test_before_the_first_commit_and_off_every_branch(repo: Repository) -> None:
    head = repo.shell("git rev-parse HEAD").strip()
    repo.shell("git checkout -q --detach")
    found = repo.status()
    assert (found["branch"], found["detached"], found["head"]) == (None, True, head)
    repo.shell("rm -rf .git; git init -q -b fresh")
    found = repo.status()
    assert (found["branch"], found["head"]) == ("fresh", None)
    assert repo.get("/log", root=repo.root).body == {"commits": []}


def test_a_merge_that_stopped_is_seen(repo: Repository) -> None:
    repo.shell("git switch -qc side; echo side > a; git commit -qam Side; git switch -q main;"
               " echo main > a; git commit -qam Main; git merge -q side")  # fmt: skip
    found = repo.status()
    assert found["state"] == "merging"
    assert [(one["index"], one["work"]) for one in found["files"]] == [("U", "U")]


def test_a_remote_is_followed(repo: Repository) -> None:
    repo.shell("git clone -q . ../copy; git -C ../copy commit -q --allow-empty -m More;"
               " git commit -q --allow-empty -m Other; git -C ../copy fetch -q")  # fmt: skip
    found = repo.status("copy")
    assert (found["upstream"], found["ahead"], found["behind"]) == ("origin/main", 1, 1)


def test_names_of_all_bytes_are_staged(repo: Repository) -> None:
    repo.shell(r"printf x > $'new\nline\xff'; printf x > '*'; printf x > ':(top)'; touch ./-n")
    odd = "new\nline\U0010ffff"
    assert repo.changes() == dict.fromkeys((odd, "*", ":(top)", "-n"), "??")
    assert repo.post("stage", paths=[odd, "-n"]).status == 204
    assert repo.changes() == {odd: "A ", "-n": "A ", "*": "??", ":(top)": "??"}
    assert repo.post("stage", paths=["*"]).status == 204
    assert repo.changes() == {odd: "A ", "-n": "A ", "*": "A ", ":(top)": "??"}
    assert repo.post("unstage", paths=[":(top)"]).status == 204
    assert repo.changes()["*"] == "A "
    assert repo.show(f"{repo.root}/{odd}", "INDEX") == b"x"


def test_staging_unstaging_and_discarding(repo: Repository) -> None:
    repo.shell("echo x >> a; rm b; echo n > new; mkdir d; echo n > d/deep")
    assert repo.post("stage", paths=["a", f"{repo.root}/b", "new"]).status == 204
    assert repo.changes() == {"a": "M ", "b": "D ", "new": "A ", "d/deep": "??"}
    assert repo.post("unstage", paths=["a", "b", "new"]).status == 204
    assert repo.changes() == {"a": " M", "b": " D", "new": "??", "d/deep": "??"}
    assert repo.post("discard", paths=["a", "b", "new"]).status == 204
    assert repo.changes() == {"d/deep": "??"}
    assert repo.shell("cat a b; ls") == "one\ntwo\na\nb\nd\n"
    assert repo.post("discard", paths=["."]).status == 204
    assert repo.changes() == {}


def test_before_the_first_commit_files_are_unstaged_too(repo: Repository) -> None:
    repo.shell("rm -rf .git; git init -q")
    assert repo.post("stage", paths=["a"]).status == 204
    assert repo.changes() == {"a": "A ", "b": "??"}
    assert repo.post("unstage", paths=["a"]).status == 204
    assert repo.changes() == {"a": "??", "b": "??"}


def test_committing_and_amending(repo: Repository) -> None:
    repo.shell("echo x >> a; git add a")
    assert repo.post("commit", message="-m is text\n\nAnd a body: ü\n").status == 204
    repo.shell("echo x >> a; git add a")
    assert repo.post("commit", amend=True).status == 204
    commits = repo.get("/log", root=repo.root).body["commits"]
    assert [one["subject"] for one in commits] == ["-m is text", "First"]
    assert (commits[0]["body"], commits[0]["author"]) == ("And a body: ü", repo.person.username)
    assert commits[0]["parents"] == [commits[1]["id"]]
    assert commits[0]["refs"] == ["HEAD -> main"]
    (of_b,) = repo.get("/log", root=repo.root, path=f"{repo.root}/b").body["commits"]
    assert of_b["subject"] == "First"
    assert len(repo.get("/log", root=repo.root, skip=1, count=5).body["commits"]) == 1


def test_what_git_or_a_hook_refuses_is_said(repo: Repository) -> None:
    nothing = repo.post("commit", message="Nothing")
    assert (nothing.status, nothing.slug) == (409, "conflict")
    assert "nothing to commit" in nothing.body["detail"]
    repo.shell("printf '#!/bin/sh\necho not today >&2; exit 1' > .git/hooks/pre-commit;"
               " chmod +x .git/hooks/pre-commit; echo x >> a; git add a")  # fmt: skip
    refused = repo.post("commit", message="Hooked")
    assert (refused.status, refused.body["detail"]) == (409, "not today")
    assert repo.post("stage", paths=["none"]).status == 409
    assert repo.get("/branches", root="").status == 409


def test_branches_are_listed_made_and_switched_to(repo: Repository) -> None:
    assert repo.post("switch", branch="feature/ü", create=True).status == 204
    assert repo.post("switch", branch="feature/ü", create=True).status == 409
    found = repo.get("/branches", root=repo.root).body["branches"]
    assert {(one["name"], one["current"], one["remote"], one["subject"]) for one in found} == {
        ("main", False, False, "First"), ("feature/ü", True, False, "First"),
    }  # fmt: skip
    repo.shell("echo x >> a; git commit -qam More; echo dirty >> a")
    refused = repo.post("switch", branch="main")
    assert (refused.status, "overwritten" in refused.body["detail"]) == (409, True)
    assert repo.status()["branch"] == "feature/ü"
    assert repo.post("discard", paths=["a"]).status == 204
    assert repo.post("switch", branch="main").status == 204
    assert repo.status()["branch"] == "main"


def test_a_file_is_shown_as_it_was(repo: Repository) -> None:
    first = repo.shell("git rev-parse HEAD").strip()
    repo.shell("echo staged > a; git add a; echo work > a; git rm -q --cached b; mkdir gone;"
               " echo x > gone/f; git add gone; git commit -qm Two; rm -r gone")  # fmt: skip
    repo.shell("echo index > a; git add a; echo work > a")
    assert repo.show("repo/a", "HEAD") == b"staged\n"
    assert repo.show("repo/a", "HEAD^") == b"one\n"
    assert repo.show(f"{repo.root}/a", first) == b"one\n"
    assert repo.show("repo/a", "INDEX") == b"index\n"
    assert repo.show(f"{repo.root}/gone/f", "HEAD", root=repo.root) == b"x\n"
    assert repo.get("/show", path="repo/none").status == 404
    assert repo.get("/show", path="repo/b").status == 404
    assert repo.get("/show", path="repo", at="HEAD").status == 404, "a folder is no file"
    assert repo.get("/show", path="/etc/passwd").status == 404, "outside of every repository"


def test_a_large_file_is_shown_whole(repo: Repository) -> None:
    repo.shell("head -c 9000000 /dev/zero | tr '\\0' x > big; git add big; git commit -qm Big")
    assert repo.show("repo/big", "HEAD") == b"x" * 9_000_000


def test_differences_are_shown_up_to_a_limit(repo: Repository) -> None:
    repo.shell("echo more >> a")
    found = repo.get("/diff", path="repo/a").body
    assert (found["truncated"], found["diff"].endswith("@@ -1 +1,2 @@\n one\n+more\n")) == (
        False,
        True,
    )
    assert repo.get("/diff", path="repo/a", staged=1).body["diff"] == ""
    repo.shell("yes line | head -c 3000000 > a; git add a")
    found = repo.get("/diff", path=repo.root, root=repo.root, staged=1).body
    assert (found["truncated"], len(found["diff"])) == (True, 1 << 20)


def test_a_folder_becomes_a_repository(repo: Repository) -> None:
    repo.shell("mkdir ../fresh")
    assert repo.post("init", root=repo.at("fresh")).status == 204
    assert repo.status("fresh")["root"] == repo.root.replace("/repo", "/fresh")
    assert repo.post("init", root="none").status == 409


def test_many_changes_are_cut(repo: Repository) -> None:
    repo.shell("mkdir many; cd many; touch $(seq 6000)")
    found = repo.status()
    assert (len(found["files"]), found["truncated"]) == (5000, True)


@pytest.mark.parametrize(
    ("what", "query"),
    [("", {"path": ".."}), ("/show", {"path": "repo/a", "at": "--help"}),
     ("/show", {"path": "repo/a", "at": "HEAD:b"}), ("/show", {"path": "repo/a", "at": "main"}),
     ("/log", {"root": "repo", "skip": "x"}), ("/log", {"root": "repo", "path": "/etc/passwd"}),
     ("/diff", {"path": "/etc/passwd", "root": "repo"})],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(
    repo: Repository, what: str, query: dict[str, str]
) -> None:
    assert repo.get(what, **query).slug == "bad-input"


@pytest.mark.parametrize(
    ("what", "body"),
    [("switch", {"branch": "--orphan"}), ("switch", {"branch": ""}),
     ("switch", {"branch": "a b"}),
     ("stage", {"paths": []}), ("stage", {"paths": ["../x"]}),
     ("stage", {"paths": ["/etc/passwd"]}), ("commit", {}), ("commit", {"message": "a\0b"}),
     ("stage", {"paths": ["x"], "root": "a/../b"})],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(
    repo: Repository, what: str, body: dict[str, object]
) -> None:
    assert repo.post(what, **body).slug == "bad-input"


def test_a_repository_that_was_given_away_runs_nothing(repo: Repository) -> None:
    """A folder of a clone can look like a bare repository whose settings name a program."""
    repo.shell("mkdir -p evil/objects evil/refs; cd evil; echo 'ref: refs/heads/main' > HEAD;"
               " printf '[core]\n bare = false\n worktree = .\n"
               " fsmonitor = touch ~/owned-by;false\n' > config")  # fmt: skip
    repo.status("repo/evil")
    repo.shell("git config core.fsmonitor 'touch ~/monitored-by;false'")
    assert repo.status()["branch"] == "main"
    assert "by" not in repo.shell("ls ~")


def test_a_repository_may_have_any_name(repo: Repository) -> None:
    repo.shell(r"cp -r ../repo $'../lat\xe9'; cd $'../lat\xe9'; echo more >> a")
    root = repo.at("lat\U0010ffe9")
    found = repo.status("lat\U0010ffe9")
    assert found["root"] == f"/home/{repo.person.username}/{root}"
    assert [one["path"] for one in found["files"]] == ["a"]
    assert repo.get("/diff", path="lat\U0010ffe9/a").body["diff"].endswith("+more\n")
    assert repo.show("lat\U0010ffe9/a", "HEAD") == b"one\n"
    assert repo.post("stage", root=root, paths=["a"]).status == 204
    assert repo.post("commit", root=root, message="More").status == 204
    subjects = [one["subject"] for one in repo.get("/log", root="lat\U0010ffe9").body["commits"]]
    assert subjects == ["More", "First"]
    (branch,) = repo.get("/branches", root="lat\U0010ffe9").body["branches"]
    assert branch["subject"] == "More"
