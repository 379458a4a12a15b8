"""Repositories that begin with a README: good objects, and nobody's configuration in them."""

import os
from pathlib import Path

import pytest

from models import User, Visibility, utcnow
from orchestrator.commons import beginning, source
from orchestrator.errors import AlreadyExists, BadInput
from orchestrator.platform import Platform
from tests.orchestrator.commons.git_client import Client

pytestmark = pytest.mark.usefixtures("context")


def test_a_readme_is_the_first_commit(platform: Platform, ann: User, tmp_path: Path) -> None:
    row = beginning.create_with_readme(
        platform, ann, utcnow(), "hello", description="Says hello.", visibility=Visibility.PRIVATE
    )
    bare = source.path_of(platform, row)
    git = Client(tmp_path, {"GIT_DIR": str(bare)})
    git.ok("fsck", "--strict", "--full")
    assert git.ok("log", "--all", "--format=%an <%ae> %cn %s %D") == (
        "ann <ann@rootblood.local> ann Begin HEAD -> main"
    )
    assert git.ok("show", "main:README.md") == "# hello\n\nSays hello."
    assert row.pushed_at is not None
    assert row.size_bytes > 0
    owners = {path.stat().st_uid for path in (bare, *bare.rglob("*"))}
    assert owners == {os.geteuid() if platform.store.git.uid is None else platform.store.git.uid}


def test_it_can_be_cloned_and_pushed_to(platform: Platform, ann: User, tmp_path: Path) -> None:
    row = beginning.create_with_readme(platform, ann, utcnow(), "hello")
    client = Client(tmp_path)
    client.ok("clone", "--quiet", str(source.path_of(platform, row)), "copy")
    tree = client.inside("copy")
    assert (tree.where / "README.md").read_text() == "# hello\n"
    tree.commit(a_txt="x")
    tree.ok("push", "--quiet", "origin", "main")


def test_what_cannot_be_leaves_nothing(platform: Platform, ann: User) -> None:
    beginning.create_with_readme(platform, ann, utcnow(), "hello")
    with pytest.raises(AlreadyExists):
        beginning.create_with_readme(platform, ann, utcnow(), "hello")
    for name, description in (("-x", ""), ("a\nb", ""), ("fine", "two\nlines")):
        with pytest.raises(BadInput):
            beginning.create_with_readme(platform, ann, utcnow(), name, description=description)
    assert not list(platform.store.private.glob(".new-*"))
    assert [path.name for path in (platform.store.public / "ann").iterdir()] == ["hello.git"]
