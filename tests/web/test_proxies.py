import subprocess
from pathlib import Path

import pytest
from flask import Flask

from orchestrator.settings import Settings
from tests.nginx import certificate, program
from web import ROOT, proxies

GUIDE = ROOT / "docs" / "how-to" / "previews-domain.md"
BY_NAME = Settings(apps_domain="apps.example.net")
BY_PORT = Settings(apps_host="apps.example.net", apps_ports="9000-9049")


def snippets(app: Flask, settings: Settings, host: str = "code.example.org") -> dict[str, str]:
    with app.app_context():
        return {one.program: one.text for one in proxies.snippets(settings, host)}


@pytest.mark.parametrize("program", ["nginx", "Caddy", "Traefik"])
def test_the_guide_has_what_the_page_shows(app: Flask, program: str) -> None:
    assert f"\n{snippets(app, BY_NAME)[program]}\n```" in GUIDE.read_text()


def test_the_range_of_ports_stands_in_all_of_them(app: Flask) -> None:
    found = snippets(app, BY_PORT)
    assert "listen 9000-9049 ssl;" in found["nginx"]
    assert "apps.example.net:9000, " in found["Caddy"]
    assert "apps.example.net:9049 {" in found["Caddy"]
    assert "9000-9049" in found["Traefik"]
    assert not any("*." in text for text in found.values())


@pytest.mark.parametrize("settings", [BY_NAME, BY_PORT], ids=["by-name", "by-port"])
def test_nginx_understands_it(app: Flask, settings: Settings, tmp_path: Path) -> None:
    chain, _ = certificate(tmp_path, "code.example.org")
    text = snippets(app, settings)["nginx"].replace("/etc/ssl/rootblood/fullchain.pem", str(chain))
    text = text.replace("/etc/ssl/rootblood", str(tmp_path))
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid; events {{}} http {{ {text} }}")
    done = subprocess.run(
        [program(), "-t", "-p", str(tmp_path), "-c", str(config), "-e", "stderr"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "syntax is ok" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("code.example.org", "code.example.org"),
        ("code.example.org:8443", "code.example.org"),
        ("localhost:8000", "panel.example.org"),
        ("a;}\n.b", "panel.example.org"),
        ("[2001:db8::1]:8000", "panel.example.org"),
    ],
)
def test_only_names_end_up_in_it(app: Flask, host: str, shown: str) -> None:
    assert f"server_name {shown} *.apps.example.net;" in snippets(app, BY_NAME, host)["nginx"]
