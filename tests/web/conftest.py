"""People for the web tests: an administrator, a user with a workspace, and a stranger."""

from collections.abc import Callable

import pytest
from flask import Flask

from models import User, utcnow
from orchestrator import workspaces
from orchestrator.workspaces import Actor
from tests.visitor import Visitor


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
