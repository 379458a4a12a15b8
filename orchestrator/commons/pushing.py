"""Use cases of git's protocol: who may fetch and push what, and what a push brings about.

``git push`` to a name that does not exist under one's own creates the repository, once its objects
are found to be good.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from models import Level, Repository, User, db, end_reading, utcnow
from orchestrator import access
from orchestrator.commons import checks, finding, pushed, quota, repositories, source, transport
from orchestrator.commons.asking import Judge
from orchestrator.commons.checks import Rules, Update
from orchestrator.commons.names import RepoName
from orchestrator.commons.store import DEFAULT_BRANCH, tree_bytes
from orchestrator.commons.transport import Readable, Service, Terms
from orchestrator.errors import NotFound, RootBloodError, SignInRequired
from orchestrator.offload import offload
from orchestrator.platform import Platform


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who speaks git to the server, and from where.

    No row: an answer that is still being sent has another database session than its request had.
    """

    user_id: int
    username: str
    address: str = ""

    def user(self) -> User:
        """Return the account as it is by now. Raises: SignInRequired, Forbidden."""
        found = db.session.get(User, self.user_id, populate_existing=True)
        if found is None:
            raise SignInRequired
        access.require_active(found)
        return found


def advertise(
    platform: Platform, who: Visitor, name: RepoName, service: Service, protocol: str
) -> Iterator[bytes]:
    """Return what ``GET info/refs`` answers. Raises: NotFound, Forbidden, TooManyRequests."""
    if service is Service.FETCH:
        held: AbstractContextManager[Path] = nullcontext(_readable(platform, who, name))
    else:
        row = _writable(who, name)
        end_reading()
        held = (
            platform.store.workplace()
            if row is None
            else nullcontext(source.path_of(platform, row))
        )
    return _counted(platform, who, _advertise(platform, held, service, protocol))


def _advertise(
    platform: Platform, held: AbstractContextManager[Path], service: Service, protocol: str
) -> Iterator[bytes]:
    with held as path:
        yield from transport.advertise(platform.store.git, path, service, protocol)


def fetch(
    platform: Platform, who: Visitor, name: RepoName, protocol: str, body: Readable
) -> Iterator[bytes]:
    """Return what ``POST git-upload-pack`` answers. Raises: NotFound, TooManyRequests."""
    path = _readable(platform, who, name)
    return _counted(platform, who, transport.fetch(platform.store.git, path, protocol, body))


def push(
    platform: Platform, who: Visitor, name: RepoName, protocol: str, body: Readable
) -> Iterator[bytes]:
    """Return what ``POST git-receive-pack`` answers.

    Raises: NotFound, Forbidden, TooManyRequests.
    """
    row = _writable(who, name)
    end_reading()
    if row is None:
        return _counted(platform, who, _create(platform, who, name, protocol, body))
    path = source.path_of(platform, row)
    platform.store.tidy(path)
    return _counted(platform, who, _push(platform, who, row.id, path, protocol, body))


def _counted(platform: Platform, who: Visitor, answer: Iterator[bytes]) -> Iterator[bytes]:
    """Return the answer, which is one of those that the visitor may have under way at once.

    Raises: TooManyRequests.
    """
    counted = _while_counted(platform, who, answer)
    next(counted)  # what was begun ends when it is closed, or forgotten before it is sent
    return counted


def _while_counted(platform: Platform, who: Visitor, answer: Iterator[bytes]) -> Iterator[bytes]:
    with platform.transfers.one(who.user_id):
        yield b""
        yield from answer


def _readable(platform: Platform, who: Visitor, name: RepoName) -> Path:
    row = finding.find(who.user(), name.owner, name.name)
    end_reading()
    return source.path_of(platform, row)


def _writable(who: Visitor, name: RepoName) -> Repository | None:
    """Return what may be pushed to; None is one that a push would create."""
    try:
        return finding.find(who.user(), name.owner, name.name, Level.WRITE)
    except NotFound:
        if name.owner != who.username:
            raise
        return None


def _push(
    platform: Platform, who: Visitor, row_id: int, path: Path, protocol: str, body: Readable
) -> Iterator[bytes]:
    held = ExitStack()

    def judge(quarantine: Path, updates: Sequence[Update]) -> Sequence[str]:
        # Asked again: what was allowed when a long push began may not be any more.
        row = db.session.get(Repository, row_id, populate_existing=True)
        if row is None or source.path_of(platform, row) != path:
            return ["This repository was renamed or deleted meanwhile."]
        try:
            finding.find(who.user(), row.owner.username, row.name, Level.WRITE)
        except RootBloodError as error:
            return [str(error)]
        rules = _rules(platform, row.owner, row)
        refusals = checks.refusals(platform.store.git, path, quarantine, updates, rules)
        return refusals or _hold(held, platform, row.owner, quarantine)

    def done(updates: Sequence[Update]) -> None:
        pushed.note(platform, who.user(), utcnow(), row_id, updates)

    with held:  # until the row counts what was pushed, or nothing came of it
        yield from transport.push(
            platform.store.git, path, protocol, body, _terms(platform, judge, done)
        )


def _hold(held: ExitStack, platform: Platform, owner: User, quarantine: Path) -> Sequence[str]:
    """Keep of the allowance what a push that may be brings, or return why it may not."""
    try:
        arrived = offload(tree_bytes, quarantine)
        held.enter_context(quota.holding(platform, owner, arrived))
    except RootBloodError as error:
        return [str(error)]
    return []


def _create(
    platform: Platform, who: Visitor, name: RepoName, protocol: str, body: Readable
) -> Iterator[bytes]:
    made: list[int] = []

    with platform.store.workplace() as fresh, ExitStack() as held:

        def judge(quarantine: Path, updates: Sequence[Update]) -> Sequence[str]:
            rules = _rules(platform, who.user(), None)
            refusals = checks.refusals(platform.store.git, fresh, quarantine, updates, rules)
            if reasons := refusals or _hold(held, platform, who.user(), quarantine):
                return reasons
            try:
                row = repositories.create(
                    platform, who.user(), utcnow(), name.name, address=who.address
                )
            except RootBloodError as error:
                return [str(error)]
            made.append(row.id)
            return []

        def done(updates: Sequence[Update]) -> None:
            if repositories.fill(platform, made[0], fresh):
                pushed.note(platform, who.user(), utcnow(), made[0], updates)

        yield from transport.push(
            platform.store.git, fresh, protocol, body, _terms(platform, judge, done)
        )


def _terms(platform: Platform, judge: Judge, done: Callable[[Sequence[Update]], object]) -> Terms:
    return Terms(platform.store.hooks, platform.settings.push_bytes, judge, done)


def _rules(platform: Platform, owner: User, row: Repository | None) -> Rules:
    settings = platform.settings
    return Rules(
        default_branch=row.default_branch if row else DEFAULT_BRANCH,
        protected=row.protected if row else False,
        archived=row.archived if row else False,
        file_bytes_max=settings.push_file_bytes,
        push_bytes_max=settings.push_bytes,
        left_bytes=quota.left(platform, owner),
    )
