from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import delete, select

from models import Event, Template, User, Workspace, db, utcnow, writing
from orchestrator import apps, catalogue
from orchestrator.apps import CODE_SERVER, JUPYTERLAB
from orchestrator.catalogue import BUILT_IN, JUPYTER, Entry
from orchestrator.errors import AlreadyExists, BadInput, Conflict, Forbidden, NotFound
from tests.app_fixtures import on_both_databases, together

pytestmark = on_both_databases
ENTRY = Entry(
    name="go", title="Go", description="With a compiler", image="go:1.22", cpus=2.0,
    memory_bytes=2 << 30, pids=256, ports=(8080, 3000, 8080),
)  # fmt: skip


def add(admin: User, entry: Entry = ENTRY) -> Template:
    return catalogue.add(admin, utcnow(), entry, address="")


def names(**given: bool) -> list[str]:
    db.session.rollback()
    return [row.name for row in catalogue.templates(**given)]


def test_a_fresh_catalogue_has_the_built_in_template_once(ann: User) -> None:
    catalogue.ensure_built_in(utcnow())
    assert names() == [BUILT_IN.name]
    assert catalogue.template_named(None).image == "chaospine:1.0.0"


def test_a_changed_template_is_left_as_it_is(ann: User) -> None:
    catalogue.change(ann, utcnow(), replace(BUILT_IN, image="ours:2"), address="")
    catalogue.ensure_built_in(utcnow())
    assert catalogue.template_named(None).image == "ours:2"


def apps_of(name: str) -> list[str]:
    db.session.rollback()
    return [one.id for one in apps.of(catalogue.template_named(name))]


def test_jupyterlab_is_offered_as_a_template_of_its_own(ann: User) -> None:
    for _ in range(2):
        catalogue.offer(JUPYTERLAB, utcnow())
        assert names() == [BUILT_IN.name, JUPYTER.name]
        assert (apps_of("chaospine"), apps_of("jupyter")) == ([], ["jupyterlab"])
    catalogue.change(ann, utcnow(), replace(JUPYTER, image="ours:2"), address="")
    catalogue.offer(JUPYTERLAB, utcnow())
    assert catalogue.template_named("jupyter").image == "ours:2"


def test_another_app_is_offered_in_the_templates_that_are_shipped(ann: User) -> None:
    add(ann)
    catalogue.offer(JUPYTERLAB, utcnow())
    for _ in range(2):
        catalogue.offer(CODE_SERVER, utcnow())
        assert apps_of("chaospine") == ["code-server"]
        assert apps_of("jupyter") == ["jupyterlab", "code-server"]
    assert apps_of("go") == []
    own = replace(JUPYTERLAB, id="mine", port=CODE_SERVER.port)
    catalogue.change(ann, utcnow(), replace(BUILT_IN, apps=(own,)), address="")
    catalogue.offer(CODE_SERVER, utcnow())
    assert apps_of("chaospine") == ["mine"]


def test_what_was_added_can_be_chosen(ann: User) -> None:
    add(ann)
    row = catalogue.template_named("go")
    assert (row.title, row.image, row.ports, row.read_only_root) == (
        "Go",
        "go:1.22",
        [3000, 8080],
        True,
    )
    assert sorted(names()) == ["chaospine", "go"]
    assert "template.added" in set(db.session.scalars(select(Event.action)))


def test_a_disabled_template_cannot_be_chosen(ann: User) -> None:
    add(ann, replace(ENTRY, enabled=False))
    assert names() == ["chaospine"]
    assert sorted(names(all_of_them=True)) == ["chaospine", "go"]
    with pytest.raises(NotFound):
        catalogue.template_named("go")


def test_without_the_default_another_one_is_offered(ann: User) -> None:
    add(ann)
    with writing():
        db.session.execute(delete(Template).where(Template.name == "chaospine"))
    assert catalogue.template_named(None).name == "go"
    with writing():
        db.session.execute(delete(Template))
    with pytest.raises(NotFound):
        catalogue.template_named(None)


@pytest.mark.parametrize("name", ["nope", "", "a\x00b", "x" * 100])
def test_an_unknown_template_is_not_found(ann: User, name: str) -> None:
    with pytest.raises(NotFound):
        catalogue.template_named(name)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Go"}, "name"), ({"name": ""}, "name"), ({"title": ""}, "title"),
        ({"title": "a\nb"}, "title"), ({"image": "bad image"}, "image"),
        ({"image": "../x"}, "image"), ({"description": "x" * 2001}, "description"),
        ({"description": "nul \x00"}, "description"), ({"cpus": 0.0}, "cpus"),
        ({"cpus": float("nan")}, "cpus"), ({"cpus": float("inf")}, "cpus"),
        ({"memory_bytes": 1}, "memory_mib"), ({"memory_bytes": 1 << 60}, "memory_mib"),
        ({"pids": 1}, "pids"), ({"pids": 1 << 40}, "pids"), ({"ports": (0,)}, "ports"),
        ({"ports": (65536,)}, "ports"), ({"ports": tuple(range(1, 35))}, "ports"),
    ],
)  # fmt: skip
def test_bad_entries_are_refused_by_field(ann: User, change: dict[str, object], field: str) -> None:
    entry = replace(ENTRY, **change)
    for act in (catalogue.add, catalogue.change):
        with pytest.raises(BadInput) as caught:
            act(ann, utcnow(), entry, address="")
        assert caught.value.field == field
    assert names(all_of_them=True) == ["chaospine"]


def test_a_description_may_have_lines(ann: User) -> None:
    add(ann, replace(ENTRY, description="One.\r\n\tTwo."))
    assert catalogue.template_named("go").description == "One.\r\n\tTwo."


def test_a_name_is_given_once_also_when_two_add_it_at_once(app: Flask, ann: User) -> None:
    results = together(app, 6, lambda _: add(db.session.get(User, ann.id)))
    assert sum(isinstance(r, AlreadyExists) for r in results) == 5, results


def test_changing_what_is_not_there_is_not_found(ann: User) -> None:
    with pytest.raises(NotFound):
        catalogue.change(ann, utcnow(), ENTRY, address="")
    with pytest.raises(NotFound):
        catalogue.delete(ann, utcnow(), "go", address="")


def test_a_template_in_use_cannot_be_deleted(
    made: Workspace, again: Callable[[Workspace], Workspace]
) -> None:
    with pytest.raises(Conflict, match="1 workspaces are made from"):
        catalogue.delete(made.user, utcnow(), "chaospine", address="")
    add(made.user)
    catalogue.delete(made.user, utcnow(), "go", address="")
    assert names() == ["chaospine"]


def test_only_administrators_edit(bob: User) -> None:
    for act in (catalogue.add, catalogue.change):
        with pytest.raises(Forbidden):
            act(bob, utcnow(), ENTRY, address="")
    with pytest.raises(Forbidden):
        catalogue.delete(bob, utcnow(), "chaospine", address="")
    assert names() == ["chaospine"]
