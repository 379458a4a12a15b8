"""Homes of volumes move into images with all that is in them."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from docker import APIClient

from orchestrator.errors import AllowanceReached, StorageError
from orchestrator.storage import Home
from orchestrator.storage.plain import PlainStorage
from orchestrator.storage.vault import VaultStorage
from tests.conftest import DOCKER_URL, PREFIX
from tests.orchestrator.storage.conftest import MIB, OWNER

MakeVault = Callable[..., VaultStorage]

pytestmark = pytest.mark.engine


def test_a_home_of_volumes_is_taken_over_with_all_that_is_in_it(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    tree: Path,
    image: str,
    run_id: str,
    docker_client: APIClient,
) -> None:
    plain = PlainStorage(DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}")
    plain.unlock(home, key)
    old = Path(docker_client.inspect_volume(home.name)["Mountpoint"])
    (old / "secret").mkdir(mode=0o000)
    (old / "file").write_text("kept")
    os.link(old / "file", old / "hard")
    (old / "link").symlink_to("/etc/passwd")
    for path in old.iterdir():
        os.lchown(path, *OWNER)
    (old / "file").chmod(0o4755)
    plain.close()
    vault.unlock(home, key)
    assert not (old / "file").exists()
    assert (tree / "file").read_text() == "kept"
    assert (tree / "file").stat().st_mode & 0o7777 == 0o4755
    assert (tree / "file").stat().st_ino == (tree / "hard").stat().st_ino
    assert os.readlink(tree / "link") == "/etc/passwd"
    assert (tree / "secret").stat().st_mode & 0o777 == 0
    assert {path.lstat().st_uid for path in tree.iterdir()} == {OWNER[0]}
    assert docker_client.inspect_volume(home.name)["Options"]["device"] == str(tree)


def test_a_home_of_volumes_that_does_not_fit_stays_where_it_is(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    raw: Path,
    image: str,
    run_id: str,
    docker_client: APIClient,
) -> None:
    plain = PlainStorage(DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}")
    plain.unlock(home, key)
    plain.close()
    old = Path(docker_client.inspect_volume(home.name)["Mountpoint"])
    (old / "big").write_bytes(os.urandom(70 * MIB))
    with pytest.raises(AllowanceReached, match="73"):
        vault.unlock(home, key)
    assert (old / "big").stat().st_size == 70 * MIB
    assert not raw.exists()
    assert vault.unlocked() == frozenset()
    vault.unlock(replace(home, capacity_bytes=128 * MIB), key)
    assert not (old / "big").exists()


@pytest.mark.parametrize("step", ["copy", "release"])
def test_taking_over_goes_on_after_a_kill(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    tree: Path,
    image: str,
    run_id: str,
    step: str,
    make_vault: MakeVault,
    docker_client: APIClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = PlainStorage(DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}")
    plain.unlock(home, key)
    plain.close()
    old = Path(docker_client.inspect_volume(home.name)["Mountpoint"])
    (old / "file").write_text("kept")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(vault.volumes, step, kill)
    with pytest.raises(KeyboardInterrupt):
        vault.unlock(home, key)
    assert (old / "file").read_text() == "kept"
    later = make_vault()
    later.reconcile()
    later.unlock(home, key)
    assert (tree / "file").read_text() == "kept"
    assert docker_client.inspect_volume(home.name)["Options"]["device"] == str(tree)


def test_a_volume_that_was_not_taken_over_is_never_deleted(
    vault: VaultStorage, home: Home, key: bytes, docker_client: APIClient, run_id: str
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    docker_client.remove_volume(home.name)
    docker_client.create_volume(home.name, labels={"rootblood.instance": f"{PREFIX}{run_id}"})
    with pytest.raises(StorageError, match="two homes"):
        vault.unlock(home, key)
    docker_client.inspect_volume(home.name)
    docker_client.remove_volume(home.name)
    vault.unlock(home, key)
