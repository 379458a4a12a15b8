"""Bring programs into a home, as their owner does: by an archive that is unpacked there."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from flask import __file__ as flask_file

from tests.end_to_end.person import Person

FLASK = "flask werkzeug jinja2 click itsdangerous blinker markupsafe".split()


def flask_packages() -> dict[str, Path]:
    """Return Flask from the package index and what it needs: where each lies, by its path."""
    site = Path(flask_file).parents[1]
    found = {f"packages/{name}": site / name for name in FLASK}
    for name in FLASK:
        # With what says its version.
        found |= {f"packages/{path.name}": path for path in site.glob(f"{name}-*.dist-info")}
    return found


def carry(owner: Person, folder: str, things: Mapping[str, Path | str]) -> None:
    """Put files, folders and texts below a folder of the home, by their paths in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        for path, thing in things.items():
            if isinstance(thing, Path):
                tar.add(thing, path)
            else:
                text = tarfile.TarInfo(path)
                text.size = len(thing.encode())
                tar.addfile(text, io.BytesIO(thing.encode()))
    target = f"/api/v1/workspaces/main/files/content?path={folder}.tgz"
    with owner.asking("PUT", target, packed.getvalue()) as response:
        assert response.status in (200, 201), response.read()
    with owner.leaving():
        line = f"cd && mkdir -p {folder} && tar -xzf {folder}.tgz -C {folder} && rm {folder}.tgz"
        assert owner.terminal(session="carry").run(line) == 0
