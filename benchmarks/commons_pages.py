"""How quickly the pages of a large repository answer, and the lists of a large commons.

Through the real server, on one connection. A page's first view is one of which nothing is kept;
the second one is warm.
"""

import http.client
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from benchmarks.results import Result, bounded
from benchmarks.server import Server, User

COMMITS = 50_000
REPOSITORIES = 5000
ASKED = 30
"""Addresses of each kind."""
PAGE_MS, LIST_MS = 150, 100
_FOLDERS, _FILES, _LINES, _PEOPLE = 20, 20, 120, 60
_WORDS = "fast small lisp engine editor kernel game notes tool server shell parser music".split()
_LANGUAGES = ("Python", "C", "Rust", "Go", "TypeScript", "Shell")


def run() -> list[Result]:
    """Measure a repository of ``COMMITS`` commits and a commons of ``REPOSITORIES``."""
    chance = random.Random(4)  # the same repository each time
    with Server() as server:
        person = server.user("reader")
        large = server.data_dir / "large.git"
        _make(large, chance)
        pushed = _push(server, person, large)
        results = [bounded(f"push of {COMMITS} commits", pushed, "s")]
        first, warm = list[float](), list[float]()
        for kind, paths in _addresses(large, chance):
            once, again = _times(person, paths), _times(person, paths)
            results += [*_both(f"{kind}, first view", once), *_both(f"{kind}, warm", again)]
            first += once
            warm += again
        for view, times in (("first views", first), ("warm", warm), ("all views", first + warm)):
            name = f"pages of {COMMITS} commits, {view}"
            results += _both(name, times, most=PAGE_MS)
        _fill(server.data_dir / "rootblood.db", chance)
        for kind, paths in _lists(chance):
            name = f"{kind} of {REPOSITORIES} repositories"
            results += _both(name, _times(person, paths), most=LIST_MS)
        person.close()
        return results


def _both(name: str, times: list[float], *, most: float | None = None) -> list[Result]:
    """Return the median, and the 95th percentile that is demanded to be at most ``most``."""
    high = quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    return [
        bounded(f"{name}, p50", median(times), "ms"),
        bounded(f"{name}, p95", high, "ms", most=most),
    ]


def _times(person: User, paths: list[str]) -> list[float]:
    """Return the milliseconds that each address takes, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", person.server.port, timeout=60)
    headers = {"Authorization": f"Bearer {person.token}"}
    times = []
    for path in paths:
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}\n{person.server.log()[-2000:]}")
    connection.close()
    return times


def _addresses(large: Path, chance: random.Random) -> Iterator[tuple[str, list[str]]]:
    base = "/global/reader/large"
    ids = _git(large, "rev-list", "main").split()
    files = _git(large, "ls-tree", "-r", "--name-only", "main").split()
    some = [chance.choice(ids) for _ in range(ASKED)]
    paths = chance.sample(files, ASKED)
    yield "files", [base + "/", *(f"{base}/tree/{one}/" for one in some)]
    yield "folder", [f"{base}/tree/main/src/mod{n}/" for n in range(_FOLDERS)]
    yield "file", [f"{base}/blob/main/{path}" for path in paths]
    yield "commits", [f"{base}/commits/{one}/" for one in some]
    yield "commits of a file", [f"{base}/commits/main/{path}" for path in paths]
    yield "commit", [f"{base}/commit/{one}" for one in some]
    yield (
        "compare",
        [f"{base}/compare/{ids[chance.randrange(20, 300)]}...main" for _ in range(ASKED)],
    )
    yield "blame", [f"{base}/blame/main/{path}" for path in paths]
    yield "branches", [f"{base}/branches"]
    yield "tags", [f"{base}/tags"]


def _lists(chance: random.Random) -> Iterator[tuple[str, list[str]]]:
    words = [chance.choice(_WORDS) for _ in range(ASKED)]
    yield "page", ["/global", *(f"/global?q={word}&sort=stars" for word in words)]
    yield "page of the feed", ["/global/-/feed"] * ASKED
    yield "search", [f"/api/v1/repos?q={word}&order=stars" for word in words]
    yield "feed", ["/api/v1/activity"] * ASKED


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", f"--git-dir={repository}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _push(server: Server, person: User, large: Path) -> float:
    url = f"http://{person.name}:{person.token}@127.0.0.1:{server.port}/git/{person.name}/large.git"
    began = time.perf_counter()
    _git(large, "push", "--quiet", "--mirror", url)
    return time.perf_counter() - began


def _make(large: Path, chance: random.Random) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(large)], check=True)
    reader = subprocess.Popen(
        ["git", f"--git-dir={large}", "fast-import", "--quiet"], stdin=subprocess.PIPE
    )
    assert reader.stdin is not None
    with reader.stdin as stream:
        for piece in _history(chance):
            stream.write(piece)
    if reader.wait() != 0:
        raise RuntimeError("fast-import failed")
    _git(large, "repack", "-adq")


def _history(chance: random.Random) -> Iterator[bytes]:
    """Yield git-fast-import(1) commands: a busy main line, into which others are merged."""
    paths = [f"src/mod{d}/file{f}.py" for d in range(_FOLDERS) for f in range(_FILES)]
    paths += ["README.md", "Makefile", "docs/guide.md"]
    texts = {path: [f"{path}: {n}\n" for n in range(_LINES)] for path in paths}
    main = side = 0
    for number in range(1, COMMITS + 1):
        turn = number % 50
        branch = b"side" if turn == 10 else b"main"
        who = b"Person %d <p@example.org> %d +0000\n" % (
            chance.randrange(_PEOPLE), 1_300_000_000 + number * 4000,
        )  # fmt: skip
        message = b"Change number %d\n\nIt is better so.\n" % number
        yield b"commit refs/heads/%s\nmark :%d\nauthor %scommitter %sdata %d\n%s" % (
            branch, number, who, who, len(message), message,
        )  # fmt: skip
        if main:
            yield b"from :%d\n" % main
        if turn == 20 and side:
            yield b"merge :%d\n" % side
        for path in paths if number == 1 else [chance.choice(paths[: _FOLDERS * _FILES])]:
            texts[path][chance.randrange(_LINES)] = f"{path}: changed by {number}\n"
            text = "".join(texts[path]).encode()
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text)
        if turn == 10:
            side = number
        else:
            main = number
    for number in range(40):
        yield b"reset refs/heads/topic/%d\nfrom :%d\n\n" % (number, COMMITS - number * 300 - 1)
        yield b"reset refs/tags/v%d\nfrom :%d\n\n" % (number, COMMITS - number * 1000 - 1)


def _fill(database: Path, chance: random.Random) -> None:
    """Write rows of repositories that nobody will open, and what was done with them."""
    with sqlite3.connect(database, timeout=30) as connection:
        (owner,) = connection.execute("SELECT id FROM users").fetchone()
        now = datetime.now(UTC).replace(tzinfo=None)
        rows = [
            (
                owner, f"{chance.choice(_WORDS)}-{n}", " ".join(chance.choices(_WORDS, k=8)),
                "private" if n % 10 == 0 else "public", 0, 1, "main", f"{now}",
                f"{now - timedelta(minutes=n)}", 1 << 16, chance.choice(_LANGUAGES), "{}",
            )
            for n in range(REPOSITORIES)
        ]  # fmt: skip
        connection.executemany(
            "INSERT INTO repositories (owner_id, name, description, visibility, archived, "
            "protected, default_branch, created_at, pushed_at, size_bytes, language, facts) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows,
        )  # fmt: skip
        ids = [row[0] for row in connection.execute("SELECT id FROM repositories")]
        facts = '{"branch": "main", "commits": 1, "subject": "Change it"}'
        connection.executemany(
            "INSERT INTO activities (deed, actor_id, repository_id, facts, at) "
            "VALUES ('push', ?, ?, ?, ?)",
            [(owner, chance.choice(ids), facts, f"{now}") for _ in range(10 * REPOSITORIES)],
        )
        connection.executemany(
            "INSERT INTO stars (repository_id, user_id, at) VALUES (?, ?, ?)",
            [(one, owner, f"{now}") for one in chance.sample(ids, REPOSITORIES // 3)],
        )
