"""Every storage in turn, and a vault whose traces are gone afterwards."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import docker.errors
import pytest
from docker import APIClient

from orchestrator.errors import StorageError
from orchestrator.storage import Home, Storage
from orchestrator.storage.choose import probe
from orchestrator.storage.memory import MemoryStorage
from orchestrator.storage.plain import PlainStorage
from orchestrator.storage.vault import VaultStorage
from tests.conftest import DOCKER_URL, PREFIX, RUN_ROOTS, missing

OWNER = (20011, 20012)
MIB = 1 << 20


@dataclass
class Case:
    """A storage and how its files are reached from here; ``again`` opens the same one anew."""

    storage: Storage
    tree: Callable[[str], Path | None]
    again: Callable[[], Storage]


@pytest.fixture
def key() -> bytes:
    return secrets.token_bytes(32)


@pytest.fixture
def home() -> Home:
    return Home(f"home_t{secrets.token_hex(6)}", OWNER, 64 * MIB)


@pytest.fixture(scope="session")
def mount_root(run_id: str) -> Path:
    """A name that the sweep of a later run knows, should this one be killed."""
    return RUN_ROOTS / f"{PREFIX}{run_id}-homes"


@pytest.fixture
def tree(mount_root: Path, home: Home) -> Path:
    return mount_root / home.name / "home"


@pytest.fixture
def raw(tmp_path: Path, home: Home) -> Path:
    return tmp_path / "homes" / f"{home.name}.img"


@pytest.fixture(scope="session")
def can_vault(
    mount_root: Path, image: str, run_id: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("probe")
    storage = VaultStorage(
        directory, mount_root, DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}"
    )
    try:
        probe(directory, mount_root, storage.volumes)
    except StorageError as error:
        missing(f"needs a machine that can mount images: {error}")
    finally:
        storage.close()


@pytest.fixture
def make_vault(
    can_vault: None,
    mount_root: Path,
    image: str,
    run_id: str,
    tmp_path: Path,
    docker_client: APIClient,
) -> Iterator[Callable[..., VaultStorage]]:
    """Return a maker of vaults on one directory: ``make_vault()``, ``make_vault(other_path)``."""
    made: list[VaultStorage] = []
    used: set[Path] = set()

    def make(directory: Path | None = None, root: Path | None = None) -> VaultStorage:
        directory = directory or tmp_path / "homes"
        used.add(directory)
        made.append(
            VaultStorage(
                directory,
                root or mount_root,
                DOCKER_URL,
                helper_image=image,
                instance=f"{PREFIX}{run_id}",
            )
        )
        return made[-1]

    yield make
    label = f"rootblood.instance={PREFIX}{run_id}"
    for container in docker_client.containers(all=True, filters={"label": label}):
        docker_client.remove_container(container["Id"], force=True)
    for storage in made:
        storage.close()  # none holds what another one staged
    for storage in made:
        storage.reconcile()
        for name in {file.name.split(".")[0] for file in storage._directory.glob("home_*.img")}:
            storage.destroy(name)
        storage.close()
    for directory in used:
        shutil.rmtree(directory, ignore_errors=True)
    assert [path for path in mount_root.iterdir() if path.is_mount()] == []


@pytest.fixture
def vault(make_vault: Callable[..., VaultStorage]) -> VaultStorage:
    return make_vault()


def synced(path: Path, content: bytes) -> None:
    """Write a file that no crash may take away any more."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def plain_case(request: pytest.FixtureRequest) -> Iterator[Case]:
    client: APIClient = request.getfixturevalue("docker_client")
    image, run_id = request.getfixturevalue("image"), request.getfixturevalue("run_id")
    volume_root = Path(client.info()["DockerRootDir"]) / "volumes"
    made: list[PlainStorage] = []

    def make() -> PlainStorage:
        made.append(PlainStorage(DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}"))
        return made[-1]

    def tree(name: str) -> Path:
        return volume_root / name / "_data"

    yield Case(make(), tree, make)
    for volume in made[0]._volumes.all():
        with suppress(docker.errors.APIError):
            client.remove_volume(volume["Name"], force=True)
    for storage in made:
        storage.close()


def vault_case(request: pytest.FixtureRequest) -> Iterator[Case]:
    make = request.getfixturevalue("make_vault")
    root = request.getfixturevalue("mount_root")
    yield Case(make(), lambda name: root / name / "home", make)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("plain", marks=pytest.mark.engine),
        pytest.param("vault", marks=pytest.mark.engine),
    ]
)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Every implementation in turn, for the conformance suite."""
    if request.param == "memory":
        storage = MemoryStorage()
        yield Case(storage, lambda name: None, lambda: storage)
    elif request.param == "plain":
        yield from plain_case(request)
    else:
        yield from vault_case(request)
