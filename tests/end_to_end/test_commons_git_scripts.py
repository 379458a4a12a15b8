"""git's own tests of smart HTTP, from Debian's source package, against our handler and transport.

The package is fetched when the tests run. Its scripts use the git of this machine (their
GIT_TEST_INSTALLED) and, in the place of apache, ``git_scripts/server.py``.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing

HERE = Path(__file__).parent / "git_scripts"
BUILD_OPTIONS = """SHELL_PATH=/bin/sh
PERL_PATH=/usr/bin/perl
DIFF=diff
TAR=tar
NO_PYTHON=1
X=
"""
NEEDED = ("apt-get", "dpkg-source", "perl", "git")

NOT_OURS = {
    "t5541-http-push-smart": {
        # Hooks of a repository never run, and a push is signed with nothing here.
        "setup rejected update hook", "rejected update prints status",
        "push with post-receive to inspect certificate",
        # The reflog's name: apache tells git's user and address; we keep no reflogs.
        "http push gives sane defaults to reflog",
        "http push respects GIT_COMMITTER_* in reflog",
        # Answers that apache breaks on purpose, to test the client.
        "report error server does not provide ref status",
    },
    "t5551-http-fetch-smart": {
        # Redirects and answers that apache breaks on purpose, to test the client.
        "re-rooting dies on insane schemes", "redirects send auth to new location",
        "invalid Content-Type rejected", "server-side error detected",
        "cookies stored in http.cookiefile when http.savecookies set", "custom http headers",
        # Namespaces and the dumb protocol are not served.
        "smart clone respects namespace", "dumb clone via http-backend respects namespace",
    },
    "t5561-http-backend": {
        # The dumb protocol is not served: no file of a repository is.
        "direct refs/heads/main not found", "static file is ok", "no export by default",
        "export if git-daemon-export-ok", "static file if http.getanyfile true is ok",
        # Who may fetch and push is the server's business; a repository's configuration is not read.
        "http.uploadpack false", "http.receivepack default disabled", "http.receivepack false",
        "server request log matches test results",
    },
}  # fmt: skip
"""What may fail: what the scripts test of apache, and not of git's protocol."""
LEAST = {"t5541-http-push-smart": 32, "t5551-http-fetch-smart": 38, "t5561-http-backend": 5}


def _sources(where: Path) -> Path:
    """Return a copy of this machine's package sources that asks for source packages."""
    copies = where / "sources"
    copies.mkdir()
    here = Path("/etc/apt")
    for path in (here / "sources.list", *here.glob("sources.list.d/*.list")):
        if path.exists():
            content = path.read_text()
            (copies / path.name).with_suffix(".list").write_text(
                re.sub(r"^deb(?=\s)", "deb-src", content, flags=re.MULTILINE)
            )
    for path in here.glob("sources.list.d/*.sources"):
        content = path.read_text()
        (copies / path.name).write_text(
            re.sub(r"^Types:.*", "Types: deb-src", content, flags=re.MULTILINE)
        )
    return copies


def _fetch(where: Path) -> Path:
    """Return git's source as Debian has it, of the release that this machine is."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        missing(f"git's own tests need {', '.join(absent)}")
    sources = _sources(where)
    for directory in ("lists/partial", "cache/archives/partial"):
        (where / directory).mkdir(parents=True)
    apt = [
        "apt-get", "-q", "-o", "Dir::Etc::SourceList=-", "-o", f"Dir::Etc::SourceParts={sources}",
        "-o", f"Dir::State::Lists={where}/lists", "-o", f"Dir::Cache={where}/cache",
        "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2",
    ]  # fmt: skip
    for command in ([*apt, "update"], [*apt, "source", "git"]):
        done = subprocess.run(
            command, cwd=where, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            missing(f"git's source package cannot be fetched: {done.stderr.strip()[-300:]}")
    return next(path for path in where.glob("git-*") if path.is_dir())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """git's source with our stand-in for its web server, and stand-ins for what make builds."""
    root = _fetch(tmp_path_factory.mktemp("git"))
    (root / "GIT-BUILD-OPTIONS").write_text(BUILD_OPTIONS)
    (root / "templates" / "blt").mkdir()
    tool = root / "t" / "helper" / "test-tool"
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o755)
    theirs = root / "t" / "lib-httpd.sh"
    kept = theirs.read_text()
    checks = kept[kept.index("test_http_push_nonff () {") :]  # what is not about apache
    theirs.write_text((HERE / "lib-httpd.sh").read_text() + "\n" + checks)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("script", NOT_OURS)
def test_gits_own_cases_pass(source: Path, tmp_path: Path, script: str) -> None:
    done = subprocess.run(
        ["sh", f"{script}.sh", f"--root={tmp_path}"],
        cwd=source / "t", capture_output=True, text=True, timeout=500, check=False,
        env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path),
            "GIT_TEST_INSTALLED": str(Path(shutil.which("git") or "git").parent),
            "HTTPD_TEST_PYTHON": sys.executable, "HTTPD_TEST_SERVER": str(HERE / "server.py"),
        },
    )  # fmt: skip
    passed = re.findall(r"^ok \d+ - (?!.*# (?:skip|SKIP|TODO))", done.stdout, re.MULTILINE)
    failed = set(re.findall(r"^not ok \d+ - (.*?)(?: # TODO.*)?$", done.stdout, re.MULTILINE))
    assert failed <= NOT_OURS[script], done.stdout[-4000:] + done.stderr[-1000:]
    assert len(passed) >= LEAST[script], done.stdout[-2000:] + done.stderr[-1000:]
