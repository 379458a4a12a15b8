"""The program that makes zips, run as the workspace runs it."""

import inspect
import io
import os
import socket
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orchestrator.files import packing_zip


def packed(*paths: Path) -> zipfile.ZipFile:
    source = inspect.getsource(packing_zip)
    command = [sys.executable, "-I", "-S", "-c", source, *map(os.fsencode, paths)]
    done = subprocess.run(command, check=True, capture_output=True)
    assert done.stderr == b""
    archive = zipfile.ZipFile(io.BytesIO(done.stdout))
    assert archive.testzip() is None
    return archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "deep").write_text("deep")
    (made / "empty").mkdir()
    (made / "run").write_text("#!/bin/sh\n")
    (made / "run").chmod(0o755)
    return made


def test_everything_below_is_in_it(folder: Path) -> None:
    (folder / "two\nlines").write_bytes(b"x" * 300_000)
    (folder / os.fsdecode(b"latin-\xe9")).write_text("text")
    os.utime(folder / "run", (0, 0))  # older than a zip can tell
    archive = packed(folder, folder / "run")
    assert set(archive.namelist()) == {
        "folder/", "folder/inner/", "folder/inner/deep", "folder/empty/", "folder/run",
        "folder/two\nlines", "folder/latin-\N{REPLACEMENT CHARACTER}", "run",
    }  # fmt: skip
    assert archive.read("folder/two\nlines") == b"x" * 300_000
    assert stat.S_IMODE(archive.getinfo("run").external_attr >> 16) == 0o755


def test_links_stay_links(folder: Path) -> None:
    (folder / "out").symlink_to("/etc")
    (folder / "loop").symlink_to("loop")
    archive = packed(folder)
    assert archive.read("folder/out") == b"/etc"
    assert stat.S_ISLNK(archive.getinfo("folder/loop").external_attr >> 16)
    assert not [name for name in archive.namelist() if name.startswith("folder/out/")]


def test_what_could_not_be_read_is_named(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / "socket"))
        said = packed(folder).read(packing_zip.UNREADABLE).decode()
    assert "folder/pipe: neither a file nor a folder" in said
    assert "folder/socket: neither a file nor a folder" in said
    assert packing_zip.UNREADABLE not in packed(folder / "run").namelist()


def test_a_tree_without_end_is_cut_off(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(packing_zip.DEPTH_MAX + 20):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert "too deep" in packed(folder).read(packing_zip.UNREADABLE).decode()


def test_a_folder_swapped_for_a_link_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("key")
    look = os.stat

    def look_and_swap(name: object, **how: object) -> os.stat_result:
        found = look(name, **how)  # type: ignore[arg-type]
        if name == b"inner":
            (folder / "inner").rename(tmp_path / "aside")
            (folder / "inner").symlink_to("../secret")
        return found

    monkeypatch.setattr(packing_zip.os, "stat", look_and_swap)
    here, written = os.open(tmp_path, os.O_RDONLY), io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        packer = packing_zip.Packer(archive)
        packer.add(b"folder", "folder", here)
    os.close(here)
    assert (folder / "inner").is_symlink()
    assert [one for one in archive.namelist() if "inner" in one] == []
    assert len(packer.unreadable) == 1
