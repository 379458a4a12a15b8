import socket
from pathlib import Path

import pytest

from orchestrator.errors import StorageError
from orchestrator.storage import place
from orchestrator.storage.place import place_of
from orchestrator.storage.plain import PlainStorage
from orchestrator.storage.vault import VaultStorage

NOWHERE = "unix:///nowhere.sock"


def vault(directory: Path) -> VaultStorage:
    return VaultStorage(directory, directory / "mounts", NOWHERE, helper_image="none")


def test_a_place_keeps_its_name_wherever_it_is_moved(tmp_path: Path) -> None:
    name = place_of(tmp_path / "homes")
    (tmp_path / "homes").rename(tmp_path / "elsewhere")
    assert place_of(tmp_path / "elsewhere") == name


def test_what_is_under_a_disk_that_is_not_mounted_is_another_place(tmp_path: Path) -> None:
    name = place_of(tmp_path / "homes")
    (tmp_path / "homes").rename(tmp_path / "elsewhere")
    assert not vault(tmp_path / "homes").is_place(name)


def test_who_names_it_at_the_same_time_takes_the_name_that_is_there(tmp_path: Path) -> None:
    name = place_of(tmp_path / "homes")
    place._make(tmp_path / "homes" / "id")
    assert place_of(tmp_path / "homes") == name
    assert [file.name for file in (tmp_path / "homes").iterdir()] == ["id"]


def test_a_damaged_name_is_told_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("")
    with pytest.raises(StorageError, match="holds no id"):
        place_of(tmp_path)
    assert (tmp_path / "id").read_text() == ""


def test_what_names_were_once_is_known(tmp_path: Path) -> None:
    old = f"{socket.gethostname()}:{tmp_path}/homes"
    assert vault(tmp_path / "homes").is_place(old)
    assert not vault(tmp_path / "homes").is_place(f"another-host:{tmp_path}/homes")
    assert not vault(tmp_path / "other").is_place(old)


def test_a_container_that_gets_another_hostname_finds_its_volumes(tmp_path: Path) -> None:
    plain = PlainStorage(NOWHERE, helper_image="none")
    assert plain.is_place(f"{socket.gethostname()}:{NOWHERE}")
    assert plain.is_place(f"another-host:{NOWHERE}")
    assert not plain.is_place("another-host:unix:///other.sock")
