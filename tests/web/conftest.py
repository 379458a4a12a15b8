"""People for the web tests: an administrator, a user with a workspace, and a stranger."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask, template_rendered

from models import User, utcnow
from orchestrator import workspaces
from orchestrator.workspaces import Actor
from tests.visitor import Visitor
from tests.web import written


@pytest.fixture
def ann(sign_up: Callable[..., Visitor]) -> Visitor:
    """The administrator."""
    return sign_up("ann")


@pytest.fixture
def bob(ann: Visitor, sign_up: Callable[..., Visitor]) -> Visitor:
    return sign_up("bob")


@pytest.fixture
def carl(bob: Visitor, sign_up: Callable[..., Visitor]) -> Visitor:
    return sign_up("carl")


@pytest.fixture
def bobs(app: Flask, bob: Visitor) -> str:
    """The name of Bob's stopped workspace."""
    with app.app_context():
        user = User.query.filter_by(username="bob").one()
        platform = app.extensions["rootblood"]
        return workspaces.create(platform, user, utcnow(), "web", actor=Actor("bob")).name


@pytest.fixture
def rendered(app: Flask) -> Iterator[set[str]]:
    """The names of the templates that were rendered during the test."""
    names: set[str] = set()

    def note(_app: Flask, template: object, **_: object) -> None:
        names.add(template.name)

    template_rendered.connect(note, app)
    yield names
    template_rendered.disconnect(note, app)


@pytest.fixture
def hello(app: Flask, ann: Visitor, bob: Visitor) -> str:
    """A repository of Ann's with a branch, a tag, a merge and a README."""
    slug = "ann/hello"
    files = {
        "README.md": "# Hello\n\n[guide](docs/guide.md)\n",
        "src/a.py": "def f():\n    return 1\n",
    }
    first = written.commit(app, slug, files, "Begin")
    side = written.commit(
        app, slug, {"docs/guide.md": "Guide"}, "Add a guide", branch="feature/x", begin=first,
        author="Bob <bob@x>", at=written.BEGIN + 60,
    )  # fmt: skip
    written.commit(app, slug, {"src/a.py": "def f():\n    return 2\n"}, "Return two")
    written.commit(
        app, slug, {"docs/guide.md": "Guide"}, "Merge", merge=side, at=written.BEGIN + 90
    )
    written.tag(app, slug, "v1", first)
    return slug
