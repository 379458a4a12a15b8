"""git as people have it: a client with an identity and no other configuration."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

DATE = "2026-01-02T03:04:05+00:00"


@dataclass(frozen=True)
class Client:
    """Runs git in ``where``; ``environment`` is added to that of every command."""

    where: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *arguments: str, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git and return what came of it."""
        return subprocess.run(
            ["git", *arguments], cwd=self.where, input=stdin, capture_output=True, timeout=300,
            check=False,
            env={
                "PATH": os.environ["PATH"], "HOME": str(self.where), "LC_ALL": "C.UTF-8",
                "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
                "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org",
                "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
                "GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE,
            } | self.environment,
        )  # fmt: skip

    def ok(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git, expect success and return what it wrote, without the last newline."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"git {arguments}: {done.stderr.decode(errors='replace')}"
        return done.stdout.decode(errors="replace").removesuffix("\n")

    def refused(self, *arguments: str) -> str:
        """Run git, expect failure and return what it complained about."""
        done = self.run(*arguments)
        assert done.returncode != 0, f"git {arguments} was not refused"
        return done.stderr.decode(errors="replace")

    def inside(self, name: str) -> "Client":
        """Return a client in a directory below."""
        return Client(self.where / name, self.environment)

    def init(self, name: str) -> "Client":
        """Make a work tree and return a client in it."""
        self.ok("init", "--quiet", "--initial-branch=main", name)
        return self.inside(name)

    def commit(self, message: str = "Change it", **files: str | bytes) -> str:
        """Write files (``_`` in names is ``.``), commit them and return the commit's id."""
        for name, content in files.items():
            path = self.where / name.replace("_", ".")
            data = content.encode() if isinstance(content, str) else content
            path.write_bytes(data)
        self.ok("add", "--all")
        self.ok("commit", "--quiet", "--allow-empty", "-m", message)
        return self.head()

    def head(self, revision: str = "HEAD") -> str:
        """Return a commit's id."""
        return self.ok("rev-parse", revision)
