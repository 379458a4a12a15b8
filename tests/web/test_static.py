"""The built front end, as browsers get it."""

import gzip
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

TEXT = b"export const answer = 42;\n"


@pytest.fixture
def built(app: Flask, tmp_path: Path) -> Path:
    """Let the application serve files of this test."""
    app.static_folder = str(tmp_path)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/plain.js").write_bytes(TEXT)
    for name in ("ide.js", "chunk-ABCD2345.js"):
        (tmp_path / "dist" / name).write_bytes(TEXT)
        (tmp_path / "dist" / f"{name}.gz").write_bytes(gzip.compress(TEXT))
    return tmp_path / "dist"


def _get(app: Flask, address: str, accepted: str = "gzip") -> TestResponse:
    client = app.test_client()
    return client.get(f"/static/{address}", headers={"Accept-Encoding": accepted}, buffered=True)


@pytest.mark.usefixtures("built")
def test_what_was_built_compressed_is_sent_so(app: Flask) -> None:
    answer = _get(app, "dist/ide.js", "br, gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.mimetype == "text/javascript"
    assert gzip.decompress(answer.data) == TEXT


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0, identity"])
@pytest.mark.usefixtures("built")
def test_who_takes_no_gzip_gets_none(app: Flask, accepted: str) -> None:
    answer = _get(app, "dist/ide.js", accepted)
    assert "Content-Encoding" not in answer.headers
    assert answer.data == TEXT
    assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.usefixtures("built")
def test_what_was_not_built_compressed_is_sent_as_it_is(app: Flask) -> None:
    answer = _get(app, "dist/plain.js")
    assert answer.data == TEXT
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("address", "kept"),
    [("ide.js", False), ("ide.js?v=0123456789ab", True), ("chunk-ABCD2345.js", True)],
)
@pytest.mark.usefixtures("built")
def test_browsers_keep_what_never_changes(app: Flask, address: str, kept: bool) -> None:
    answer = _get(app, f"dist/{address}")
    assert ("immutable" in answer.headers["Cache-Control"]) == kept


@pytest.mark.usefixtures("built")
def test_nothing_beside_the_files_is_sent(app: Flask, tmp_path: Path) -> None:
    (tmp_path.parent / "secret.gz").write_bytes(b"secret")
    for way in ("../secret", "dist/../../secret", "..%2fsecret", "dist%2f..%2f..%2fsecret"):
        answer = _get(app, way)
        assert answer.status_code == 404
