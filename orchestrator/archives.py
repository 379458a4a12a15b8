"""Take a home away as a tarball, at any time and of any size, in constant memory."""

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress

from sqlalchemy import select

from models import State, User, Workspace, db, end_reading
from orchestrator import catalogue, homes
from orchestrator.collector import HELPER_LIFETIME, HELPER_PREFIX
from orchestrator.engines import Process
from orchestrator.errors import Conflict, EngineError, RootBloodError
from orchestrator.feed import Transfer
from orchestrator.keys import Proof
from orchestrator.logs import log
from orchestrator.platform import Platform
from orchestrator.policy import helper_spec, home_of

LOG = log(__name__)
CHUNK_BYTES = 256 << 10
REPORT_SECONDS = 0.5
STALL_SECONDS = 120.0
"""A program in the workspace may stop the archive's: then the download ends."""

# GNU tar opens its second operand after it has read all of the first, so the file that collects
# its warnings goes into the archive complete: what could not be read is never silently dropped.
# Sockets are skipped with a warning of their own. Exit code 1 means "changed while read".
_ARCHIVE = r"""
user=$1; notes=$(mktemp -d "${TMPDIR:-/tmp}/archive.XXXXXX") || exit 70
trap 'rm -rf "$notes"' EXIT; trap 'exit 70' TERM HUP INT PIPE
{ echo "What could not be read while this archive was made, if anything:"; } \
  > "$notes/UNREADABLE.txt"
if command -v pigz >/dev/null; then squeeze='pigz -1'; else squeeze='gzip -1'; fi
LC_ALL=C tar --create --file=- --owner="$user:$(id -u)" --group="$user:$(id -g)" \
  --directory=/home "./$user" \
  --directory="$notes" ./UNREADABLE.txt 2>>"$notes/UNREADABLE.txt" | $squeeze
"""


class Archive:
    """Chunks of a tar.gz. :meth:`close` ends the work in the workspace, finished or not."""

    def __init__(self, platform: Platform, user: User, transfer: str, proof: Proof | None) -> None:
        self._platform = platform
        self._user_id = user.id
        self._transfer = transfer
        self._began = time.monotonic()
        self._reported = 0.0
        self._sent = 0
        self._state = "running"
        self._helper = ""
        self._process: Process | None = None
        self._home_bytes: int | None = None
        self._closed = False
        if user.id in platform.archiving:  # each may cost a container beyond the allowance
            raise Conflict(
                "Your home is being downloaded already",
                hint="Wait until that download ends, or cancel it.",
            )
        platform.archiving.add(user.id)
        try:
            self._home_bytes = platform.storage.usage(home_of(user))
            container = _running_container(user) or self._start_helper(user, proof)
            self._process = platform.engine.spawn(
                container, ("/bin/sh", "-c", _ARCHIVE, "archive", user.username)
            )
            self._process.settimeout(STALL_SECONDS)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        assert self._process is not None
        self._report()
        while chunk := self._process.read(CHUNK_BYTES):
            self._sent += len(chunk)
            if time.monotonic() - self._reported >= REPORT_SECONDS:
                self._report()
            yield chunk
        code = self._process.wait()
        self._state = "done" if code == 0 else "failed"
        if code != 0:
            # The response has long begun: breaking the connection is the only honest signal.
            raise EngineError(f"The archive ended early (code {code})")

    def close(self) -> None:
        """End the work; called when the download ends, fails or is given up."""
        if self._state == "running":
            self._state = "failed"
        with suppress(RootBloodError, OSError):
            if self._process is not None:
                self._process.close()
        if self._helper:
            try:
                self._platform.engine.remove(self._helper)
            except EngineError as error:  # the collector removes it later
                LOG.warning("archive.helper-left", name=self._helper, why=error.message)
            self._helper = ""
        if not self._closed:
            self._closed = True
            self._platform.archiving.discard(self._user_id)
        self._report()

    def _start_helper(self, user: User, proof: Proof | None) -> str:
        """Start a container that only sees the home, read-only: no workspace runs."""
        platform = self._platform
        image = catalogue.template_named(None).image
        end_reading()
        name = f"{HELPER_PREFIX}{user.userhash}-{secrets.token_hex(4)}"
        self._helper = name
        lifetime = int(HELPER_LIFETIME.total_seconds()) - 3600
        with homes.in_use(platform, user, proof) as home:
            mount = platform.storage.mount(home.name, f"/home/{user.username}")
            platform.engine.run(helper_spec(user, name, image, mount, lifetime))
        return name

    def _report(self) -> None:
        self._reported = time.monotonic()
        self._platform.feed.transfer(
            self._user_id,
            Transfer(
                id=self._transfer,
                state=self._state,
                sent_bytes=self._sent,
                home_bytes=self._home_bytes,
                elapsed_seconds=round(self._reported - self._began, 1),
            ),
        )


def open_archive(
    platform: Platform, user: User, transfer: str, proof: Proof | None = None
) -> Archive:
    """Begin an archive of the user's home; the caller iterates and closes it.

    ``transfer`` names it in the feed. Raises before the first byte: EngineError; HomeLocked;
    Conflict while another download of the same home is under way.
    """
    return Archive(platform, user, transfer, proof)


def _running_container(user: User) -> str | None:
    query = select(Workspace).where(Workspace.user_id == user.id, Workspace.state == State.RUNNING)
    row = db.session.scalars(query.limit(1)).first()
    end_reading()
    return row.container if row else None
