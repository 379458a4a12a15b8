import os
from pathlib import Path

import pytest

from orchestrator.inside.ripgrep import place_of


def test_a_folder_is_searched_from_itself_and_a_file_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "-file").touch()
    assert place_of({"path": str(tmp_path)}) == (os.fsencode(tmp_path), "./")
    assert place_of({"path": f"{tmp_path}/-file"}) == (os.fsencode(tmp_path), "./-file")


def test_nothing_else_is_searched(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (f"{tmp_path}/pipe", "/dev/zero", f"{tmp_path}/none", f"{tmp_path}/none/x"):
        with pytest.raises(ValueError, match="no such file"):
            place_of({"path": path})
