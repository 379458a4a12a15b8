"""Containers that are directories of this machine, in which restic really works."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from models import Snapshot, User
from orchestrator import restoring, snapshots
from orchestrator.engines import Result
from orchestrator.jobs import Job
from orchestrator.platform import Platform
from orchestrator.policy import home_of
from tests.app_fixtures import PROOF
from tests.engine import WatchedEngine, in_transaction

SECONDS = 120.0


class LocalEngine(WatchedEngine):
    """The in-memory engine, except that commands of a snapshot's container run here.

    ``root`` holds a directory for each mounted volume.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.asked: list[str] = []
        """What restic was told, in order."""
        self.before: tuple[str, ...] = ()
        """A command that what runs in containers is run by, as setpriv(1)."""

    def directory(self, source: str) -> Path:
        found = self.root / source
        found.mkdir(parents=True, exist_ok=True)
        return found

    def exec(
        self, name: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Result:
        if "-snapshots" not in name:
            return super().exec(name, argv, stdin=stdin, timeout=timeout)
        self._note(name)
        done = subprocess.run(
            [self._here(name, word) for word in argv],
            input=stdin,
            capture_output=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def spawn(self, name: str, argv: Sequence[str]) -> Any:
        if not name.startswith("rbx-"):
            return super().spawn(name, argv)
        self._note(name)
        return _Process(self, name, [*self.before, sys.executable, *argv[1:]])

    def _note(self, name: str) -> None:
        self._running(name)
        if in_transaction():
            self.violations.append("spawn")

    def _here(self, name: str, word: str) -> str:
        for mount in self._running(name).spec.mounts:
            if word == mount.target or word.startswith(f"{mount.target}/"):
                return str(self.directory(mount.source)) + word.removeprefix(mount.target)
        return word

    def translated(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        """Return a request with this machine's paths for the container's."""

        def here(value: Any) -> Any:
            if isinstance(value, list):
                return [here(one) for one in value]
            return self._here(name, value) if isinstance(value, str) else value

        argvs = request.get("argvs") or [request.get("argv") or [request["do"]]]
        self.asked += [argv[0] for argv in argvs]
        kept = {key: request[key] for key in ("path", "do", "password") if key in request}
        return {key: here(value) for key, value in request.items()} | kept


class _Process:
    def __init__(self, engine: LocalEngine, name: str, argv: list[str]) -> None:
        self._engine, self._name = engine, name
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def settimeout(self, seconds: float | None, /) -> None:
        pass

    def write(self, data: bytes, /) -> None:
        request = self._engine.translated(self._name, json.loads(data))
        self._stdin.write(json.dumps(request).encode() + b"\n")
        self._stdin.flush()

    def read(self, nbytes: int, /) -> bytes:
        return self._stdout.read1(nbytes)  # type: ignore[attr-defined,no-any-return]

    def wait(self) -> int:
        return self._process.wait()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()


@pytest.fixture
def local_platform(app: Flask, tmp_path: Path) -> Iterator[Platform]:
    """The server, on an engine whose snapshots are real. Its homes are below ``engine.root``."""
    from tests.conftest import missing

    if shutil.which("restic") is None:
        missing("needs restic: script/setup test installs it")
    engine = LocalEngine(tmp_path)
    made = replace(app.extensions["rootblood"], engine=engine)
    app.extensions["rootblood"] = made
    yield made
    assert engine.violations == []


def home_directory(platform: Platform, user: User) -> Path:
    """Return where the user's files are."""
    return engine_of(platform).directory(home_of(user))


def engine_of(platform: Platform) -> LocalEngine:
    """Return the platform's engine, which is one of these."""
    assert isinstance(platform.engine, LocalEngine)
    return platform.engine


def done(platform: Platform, job: Job) -> Job:
    """Return the job once it has ended."""
    assert platform.jobs.wait(job, SECONDS)
    return job


def take(platform: Platform, user: User, note: str = "") -> Snapshot:
    """Take a snapshot."""
    job = done(platform, snapshots.start_taking(platform, user, note, PROOF))
    assert job.snapshot_id is not None
    return snapshots.find(user, job.snapshot_id)


def restore(
    platform: Platform, user: User, row: Snapshot, path: str | None, *, safety: bool = False
) -> Job:
    """Restore a path, or everything, to the end."""
    job = restoring.start_restoring(platform, user, row.id, path, safety=safety, proof=PROOF)
    return done(platform, job)
