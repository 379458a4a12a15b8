"""Make the commons on the disk what its rows say, after a crash.

Rows decide. What a crash in the middle of a change left elsewhere is moved to where its row says;
what no row stands for is set aside, where nobody reads it and an operator still finds it: the
database may be one from before.
"""

from sqlalchemy import select

from models import Repository, Visibility, db, end_reading, writing
from orchestrator.commons import source
from orchestrator.commons.names import RepoName
from orchestrator.logs import log
from orchestrator.platform import Platform

LOG = log(__name__)
Place = tuple[RepoName, bool]
"""A name, and whether it is private."""


def mend(platform: Platform) -> None:
    """Move what lies elsewhere than its row says; what is as it should be is left alone."""
    platform.store.sweep()
    found = {(name, private): mark for name, private, mark in platform.store.places()}
    wanted = {row.id: _place_of(row) for row in db.session.scalars(select(Repository))}
    end_reading()
    by_place = {place: id for id, place in wanted.items()}
    by_name = {name: id for id, (name, _) in wanted.items()}
    for place, mark in found.items():
        if place not in by_place:
            id = mark if mark in wanted else by_name.get(place[0])
            _mend(platform, place, id if wanted.get(id or 0) not in found else None)


def _place_of(row: Repository) -> Place:
    return source.name_of(row), row.visibility is Visibility.PRIVATE


def _mend(platform: Platform, place: Place, row_id: int | None) -> None:
    """Put one repository where it belongs; another server may have changed it by now."""
    store, (name, private) = platform.store, place
    with writing():
        row = db.session.get(Repository, row_id, with_for_update=True) if row_id else None
        if not store.path(name, private=private).exists() or _is_wanted(place):
            return
        if row is None:
            aside = store.set_aside(name, private=private)
            LOG.warning("repository.set-aside", repository=str(name), place=str(aside))
            return
        to, to_private = _place_of(row)
        if not store.path(to, private=to_private).exists():
            store.move(name, private=private, to=to, to_private=to_private)
            store.mark(store.path(to, private=to_private), row.id)
            LOG.warning("repository.moved-back", repository=str(to), private=to_private)


def _is_wanted(place: Place) -> bool:
    """Return whether a row says by now that a repository lies there."""
    rows = db.session.scalars(select(Repository).where(Repository.name == place[0].name))
    return any(_place_of(row) == place for row in rows)
