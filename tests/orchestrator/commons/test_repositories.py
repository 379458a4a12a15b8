from collections.abc import Callable

import pytest

from models import (
    Activity,
    Deed,
    Level,
    Repository,
    User,
    Visibility,
    db,
    utcnow,
    writing,
)
from orchestrator.commons import (
    activity,
    collaborators,
    finding,
    presence,
    reading,
    repositories,
    source,
    stars,
)
from orchestrator.commons.finding import Order, Query
from orchestrator.commons.repositories import Change
from orchestrator.errors import (
    AllowanceReached,
    AlreadyExists,
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
)
from orchestrator.platform import Platform
from tests.app_fixtures import account, on_both_databases, together
from tests.orchestrator.commons.published import Work

pytestmark = on_both_databases

PRIVATE = Change(visibility=Visibility.PRIVATE)


def create(platform: Platform, user: User, name: str = "hello", **given: object) -> Repository:
    return repositories.create(platform, user, utcnow(), name, **given)


def names(viewer: User, **query: object) -> list[str]:
    return [one.row.slug for one in finding.search(viewer, Query(**query)).found]


def test_a_repository_begins_empty_and_public(platform: Platform, ann: User, bob: User) -> None:
    row = create(platform, ann, description=" Says hello ")
    assert (row.slug, row.description) == ("ann/hello", "Says hello")
    assert finding.find(bob, "ann", "hello").id == row.id
    here = source.of(platform, row)
    assert here.path == platform.store.public / "ann" / "hello.git"
    assert (reading.head(here, row), reading.branches(here)) == (None, [])


def test_a_name_is_given_once(platform: Platform, ann: User, bob: User) -> None:
    create(platform, ann)
    with pytest.raises(AlreadyExists):
        create(platform, ann)
    create(platform, bob)


def test_of_many_who_want_one_name_one_gets_it(app: object, platform: Platform, ann: User) -> None:
    db.session.rollback()
    results = together(app, 4, lambda _: create(platform, db.session.get(User, ann.id)).name)
    assert min(map(str, results), key=len) == "hello"
    assert sum(isinstance(one, AlreadyExists) for one in results) == 3


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "x.git", "x\n", "é", "a" * 65])
def test_names_that_cannot_be_are_refused(platform: Platform, ann: User, name: str) -> None:
    with pytest.raises(BadInput):
        create(platform, ann, name)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[0m", "x" * 201])
def test_descriptions_are_one_line(platform: Platform, ann: User, text: str) -> None:
    with pytest.raises(BadInput):
        create(platform, ann, description=text)


def test_what_cannot_be_made_on_the_disk_has_no_row(
    platform: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(type(platform.store), "create", full)
        with pytest.raises(OSError, match="no space"):
            create(platform, ann)
    create(platform, ann)


def test_who_has_no_room_left_publishes_nothing(platform: Platform, ann: User) -> None:
    row = create(platform, ann)
    with writing():
        row.size_bytes = platform.settings.allowance_disk_bytes
    with pytest.raises(AllowanceReached):
        create(platform, ann, "other")


def test_a_private_one_is_as_absent_as_none(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    repositories.change(platform, ann, utcnow(), hello, PRIVATE)
    with pytest.raises(NotFound) as theirs:
        finding.find(bob, "ann", "hello")
    with pytest.raises(NotFound) as none:
        finding.find(bob, "ann", "nothing")
    assert str(theirs.value).replace("hello", "nothing") == str(none.value)
    assert names(bob) == []
    assert [one.deed for one in activity.recent(bob)] == []
    assert names(ann) == ["ann/hello"]


def test_hiding_and_publishing_moves_it_out_of_sight_and_back(
    platform: Platform, ann: User, hello: Repository
) -> None:
    public = platform.store.public / "ann" / "hello.git"
    row = repositories.change(platform, ann, utcnow(), hello, PRIVATE)
    assert not public.exists()
    assert source.path_of(platform, row).is_dir()
    back = Change(visibility=Visibility.PUBLIC, name="hi")
    row = repositories.change(platform, ann, utcnow(), row, back)
    assert source.path_of(platform, row) == platform.store.public / "ann" / "hi.git"
    assert reading.head(source.of(platform, row), row) is not None


def test_a_taken_name_is_not_taken_again(platform: Platform, ann: User, hello: Repository) -> None:
    create(platform, ann, "other")
    with pytest.raises(AlreadyExists):
        repositories.change(platform, ann, utcnow(), hello, Change(name="other"))
    assert finding.find(ann, "ann", "hello").id == hello.id
    assert source.path_of(platform, hello).is_dir()


def test_only_the_owner_hides_renames_and_deletes(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    collaborators.put(ann, utcnow(), hello, "bob", Level.ADMIN)
    for change in (PRIVATE, Change(name="mine")):
        with pytest.raises(Forbidden):
            repositories.change(platform, bob, utcnow(), hello, change)
    with pytest.raises(Forbidden):
        repositories.remove(platform, bob, utcnow(), hello)
    changed = repositories.change(platform, bob, utcnow(), hello, Change(description="Ours"))
    assert changed.description == "Ours"


def test_the_default_branch_is_one_that_is_there(
    platform: Platform, ann: User, anns: Work, hello: Repository
) -> None:
    anns.push(hello, "next")
    with pytest.raises(NotFound):
        repositories.change(platform, ann, utcnow(), hello, Change(default_branch="nope"))
    row = repositories.change(platform, ann, utcnow(), hello, Change(default_branch="next"))
    head = source.of(platform, row).ask("symbolic-ref", "HEAD")
    assert (row.default_branch, head) == ("next", b"refs/heads/next\n")


def test_the_first_branch_pushed_becomes_the_default(
    platform: Platform, ann: User, anns: Work
) -> None:
    row = create(platform, ann)
    anns.commit()
    anns.push(row, "trunk")
    assert finding.find(ann, "ann", "hello").default_branch == "trunk"


def test_deleting_leaves_nothing_but_the_forks(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    fork = repositories.fork(platform, bob, utcnow(), hello)
    path = source.path_of(platform, hello)
    repositories.remove(platform, ann, utcnow(), hello)
    assert not path.exists()
    with pytest.raises(NotFound):
        finding.find(ann, "ann", "hello")
    db.session.expire_all()
    fork = finding.find(bob, "bob", "hello")
    assert fork.parent_id is None
    assert reading.head(source.of(platform, fork), fork) is not None


def test_a_fork_knows_its_parent_and_is_private_of_a_private_one(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    fork = repositories.fork(platform, bob, utcnow(), hello)
    assert finding.fork_of(bob, hello).id == fork.id
    assert finding.parent_of(bob, fork).id == hello.id
    assert fork.size_bytes == hello.size_bytes > 0
    with pytest.raises(AlreadyExists):
        repositories.fork(platform, ann, utcnow(), hello)
    hidden = repositories.change(platform, ann, utcnow(), hello, PRIVATE)
    assert finding.parent_of(bob, fork) is None
    own = repositories.fork(platform, ann, utcnow(), hidden, "copy")
    assert own.visibility is Visibility.PRIVATE
    assert source.path_of(platform, own).is_relative_to(platform.store.private)


def test_a_push_is_measured_and_told(platform: Platform, ann: User, anns: Work) -> None:
    row = create(platform, ann)
    anns.commit("Write it", main_py="x = 1\n" * 50, lib_c="int x;\n")
    head = anns.push(row)
    row = finding.find(ann, "ann", "hello")
    assert row.pushed_at is not None
    assert row.size_bytes > 0
    assert (row.language, row.facts["languages"]) == ("Python", {"Python": 300, "C": 7})
    assert (row.facts["head"], row.facts["commits"]) == (head, 1)
    assert row.facts["people"] == [["ann", 1]]
    pushed = activity.recent(ann)[0]
    assert (pushed.deed, pushed.facts["subject"], pushed.facts["created"]) == (
        Deed.PUSH, "Write it", True,
    )  # fmt: skip
    anns.commit("More", main_py="x = 2\n")
    anns.push(row)
    db.session.expire_all()
    assert finding.find(ann, "ann", "hello").facts["people"] == [["ann", 2]]
    assert activity.recent(ann)[0].facts["commits"] == 1


def test_stars_count_once(platform: Platform, ann: User, bob: User, hello: Repository) -> None:
    for _ in range(2):
        stars.star(platform, bob, utcnow(), hello)
    assert finding.listed(ann, hello).stars == 1
    assert stars.stargazers(hello) == ["bob"]
    assert names(ann, starred_by="bob") == ["ann/hello"]
    assert [one.deed for one in activity.recent(ann)].count(Deed.STAR) == 1
    stars.unstar(bob, hello)
    assert finding.listed(ann, hello).stars == 0


def test_a_star_that_is_taken_back_and_given_again_is_told_once(
    platform: Platform, ann: User, bob: User, hello: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken = list[int]()
    monkeypatch.setattr(platform.feed, "publish", woken.append)
    for _ in range(3):
        stars.star(platform, bob, utcnow(), hello)
        stars.unstar(bob, hello)
    stars.star(platform, ann, utcnow(), hello)
    deeds = [(one.actor.username, one.deed) for one in activity.recent(ann)]
    assert deeds.count(("bob", Deed.STAR)) == deeds.count(("ann", Deed.STAR)) == 1
    assert len(woken) == 2
    assert stars.stargazers(hello) == ["ann"]


def test_search(platform: Platform, ann: User, bob: User) -> None:
    one = create(platform, ann, "Lisp-Machine", description="An interpreter, 100% done")
    create(platform, bob, "editor", description="Edits text")
    create(platform, bob, "secret", visibility=Visibility.PRIVATE)
    assert names(ann, text="lisp INTERP") == ["ann/Lisp-Machine"]
    assert names(ann, text="bob") == ["bob/editor"]
    assert names(ann, text="%") == ["ann/Lisp-Machine"]
    assert names(ann, text="nothing_") == []
    assert names(ann, owner="bob") == ["bob/editor"]
    assert names(bob, order=Order.NAME) == ["bob/editor", "ann/Lisp-Machine", "bob/secret"]
    stars.star(platform, bob, utcnow(), one)
    assert names(ann, order=Order.STARS)[0] == "ann/Lisp-Machine"
    assert finding.search(ann, Query(per_page=1, page=2)).total == 2
    assert len(names(ann, per_page=1, page=2)) == 1
    assert names(ann, page=10**9) == []
    for odd in ("\0", "a\0b", "'; --", "x" * 10_000):
        names(ann, text=odd, owner=odd, language=odd, starred_by=odd)


def test_collaborators_may_what_they_were_given(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    hidden = repositories.change(platform, ann, utcnow(), hello, PRIVATE)
    collaborators.put(ann, utcnow(), hidden, "bob", Level.READ)
    assert finding.find(bob, "ann", "hello").id == hidden.id
    with pytest.raises(Forbidden):
        finding.find(bob, "ann", "hello", Level.WRITE)
    collaborators.put(ann, utcnow(), hidden, "bob", Level.WRITE)
    finding.find(bob, "ann", "hello", Level.WRITE)
    carl = account(platform.settings, "carl")
    with pytest.raises(Forbidden):
        collaborators.take(carl, utcnow(), hidden, "bob")
    collaborators.take(bob, utcnow(), hidden, "bob")
    with pytest.raises(NotFound):
        finding.find(bob, "ann", "hello")


@pytest.mark.parametrize("username", ["nobody", "", "--x", "a\0b"])
def test_nobody_is_no_collaborator(ann: User, hello: Repository, username: str) -> None:
    with pytest.raises(NotFound):
        collaborators.put(ann, utcnow(), hello, username, Level.READ)
    with pytest.raises(BadInput):
        collaborators.put(ann, utcnow(), hello, "ann", Level.READ)


def test_collaborators_have_an_end(
    ann: User, bob: User, hello: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collaborators, "COLLABORATORS_MAX", 0)
    with pytest.raises(Conflict):
        collaborators.put(ann, utcnow(), hello, "bob", Level.READ)


def test_the_feed_is_paged_by_ids(platform: Platform, ann: User, bob: User) -> None:
    for number in range(5):
        create(platform, ann, f"r{number}")
    told = activity.recent(bob)
    assert [one.id for one in told] == sorted((one.id for one in told), reverse=True)
    assert [one.id for one in activity.recent(bob, after=told[1].id)] == [told[0].id]
    older = activity.recent(bob, before=told[2].id, count=2)
    assert [one.id for one in older] == [told[3].id, told[4].id]
    assert activity.recent(bob, owner="bob") == activity.recent(bob, actor="bob") == []


def test_the_name_of_a_hidden_parent_is_told_to_nobody_else(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    hello = repositories.change(platform, ann, utcnow(), hello, PRIVATE)
    collaborators.put(ann, utcnow(), hello, "bob", Level.READ)
    fork = repositories.fork(platform, bob, utcnow(), hello)
    published = Change(visibility=Visibility.PUBLIC)
    repositories.change(platform, bob, utcnow(), fork, published)
    carl = account(platform.settings, "carl")
    assert [one.facts for one in activity.recent(carl)] == [{"parent": None}]
    told = activity.recent(bob, actor="bob")
    assert [one.facts for one in told] == [{"parent": "ann/hello"}]


def test_a_page_that_follows_is_woken(platform: Platform, ann: User) -> None:
    before = platform.feed.version(activity.EVERYONE)
    create(platform, ann)
    assert platform.feed.version(activity.EVERYONE) > before


def test_what_is_deleted_is_not_told_any_more(
    platform: Platform, ann: User, hello: Repository
) -> None:
    repositories.remove(platform, ann, utcnow(), hello)
    assert db.session.query(Activity).all() == []


def test_people_are_here_unless_they_hide(
    platform: Platform, ann: User, bob: User, hello: Repository
) -> None:
    now = utcnow()
    with writing():
        db.session.get(User, bob.id).last_seen_at = now
    listed = {one.username: one for one in presence.people(ann, now)}
    assert (listed["ann"].online, listed["bob"].online) == (False, True)
    assert (listed["ann"].repositories, listed["bob"].repositories) == (1, 0)
    assert [one.username for one in presence.people(ann, now, online_only=True)] == ["bob"]
    presence.show(bob, False)
    db.session.expire_all()
    assert presence.person(ann, now, "bob").online is None
    assert presence.person(bob, now, "bob").online is True
    with pytest.raises(NotFound):
        presence.person(ann, now, "nobody")


def test_an_account_that_goes_takes_all_it_published(
    platform: Platform, ann: User, hello: Repository, work: Callable[[User], Work]
) -> None:
    carl = account(platform.settings, "carl")
    create(platform, carl, "gone")
    for _ in range(2):
        repositories.remove_all(platform, carl)
    assert not (platform.store.public / "carl").exists()
    assert names(ann) == ["ann/hello"]
