"""What script/doctor says of a server from outside of it, and of one that does not run."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from orchestrator.settings import Settings
from tests.end_to_end.server import PROJECT, Server, free_port
from tests.nginx import certificate, nginx
from web import proxies

pytestmark = pytest.mark.engine

APPS = "apps.localhost"
"""Browsers and the doctor find it here; a certificate for ``*.localhost`` would be refused."""


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    return make_server(
        trusted_proxies=1, apps_domain=APPS, egress="off", storage="plain", reserve_bytes=0
    ).start()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path, "localhost", f"*.{APPS}")


@pytest.fixture
def good(server: Server, port: int, trusted: tuple[Path, Path]) -> str:
    """The page's snippet, with the names and files of this test in it."""
    app = Flask("snippets", template_folder=str(PROJECT / "templates"))
    with app.app_context():
        settings = Settings(apps_domain=APPS, listen=server.host)
        text = proxies.snippets(settings, "panel.test")[0].text
    text = text.replace("panel.test", "localhost")
    text = text.replace("listen 443 ", f"listen 127.0.0.1:{port} ")
    text = re.sub(r"\S+/fullchain.pem", str(trusted[0]), text)
    return re.sub(r"\S+/privkey.pem", str(trusted[1]), text)


Found = dict[str, dict[str, str]]
Ask = Callable[..., tuple[int, Found]]


@pytest.fixture
def ask(server: Server, trusted: tuple[Path, Path]) -> Ask:
    """Return ``ask(*arguments)``: the script's exit code and its findings by name."""

    def run(*arguments: str, **settings: Any) -> tuple[int, Found]:
        changed = {f"ROOTBLOOD_{name.upper()}": str(value) for name, value in settings.items()}
        done = subprocess.run(
            [str(PROJECT / "script/doctor"), "--json", *arguments],
            env=server.environment() | {"SSL_CERT_FILE": str(trusted[0])} | changed,
            capture_output=True, text=True, check=False, cwd="/", timeout=120,
        )  # fmt: skip
        assert done.returncode in (0, 1, 2), done.stderr
        return done.returncode, {one["name"]: one for one in json.loads(done.stdout)["findings"]}

    return run


def verdicts(found: Found, *names: str) -> list[str]:
    return [found[name]["verdict"] if name in found else "-" for name in names]


WAY = ("tls", "panel", "websocket", "preview-tls", "previews", "preview-websocket")


def test_a_server_that_runs_is_seen_to_run(ask: Ask) -> None:
    code, found = ask()
    assert verdicts(found, "settings", "server", "database", "engine", "image") == ["ok"] * 5
    assert code == 1, "homes are not encrypted here"
    assert found["storage"]["hint"]
    assert not set(WAY) & set(found), "nobody said where browsers see the panel"


def test_a_server_that_does_not_run_is_looked_at_all_the_same(ask: Ask, tmp_path: Path) -> None:
    code, found = ask(listen=f"127.0.0.1:{free_port()}", data_dir=tmp_path / "none")
    assert "does not run" in found["server"]["what"]
    assert verdicts(found, "server", "engine", "image", "database") == ["warn", "ok", "ok", "-"]
    assert code == 1
    assert not (tmp_path / "none" / "rootblood.db").exists(), "looking makes nothing"


def test_before_the_set_up_it_says_so(tmp_path: Path) -> None:
    script = tmp_path / "script" / "doctor"
    script.parent.mkdir()
    shutil.copy(PROJECT / "script/doctor", script)
    done = subprocess.run([str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Nothing is set up here yet: run script/setup, then look again.\n"


def test_another_installations_server_is_not_taken_for_this_ones(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"of another one")
    code, found = ask(data_dir=tmp_path)
    assert (code, found["server"]["verdict"]) == (2, "fail")
    assert "not this server" in found["server"]["what"]


def test_broken_settings_are_named(ask: Ask) -> None:
    code, found = ask(apps_port="9000-9010")
    assert (code, list(found)) == (2, ["settings"])
    assert "ROOTBLOOD_APPS_PORTS" in found["settings"]["hint"]


def test_it_says_so_in_words_too(server: Server) -> None:
    done = subprocess.run(
        [str(PROJECT / "script/doctor")], env=server.environment(), capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert re.search(r"^fine +server +The server runs", done.stdout, re.MULTILINE)
    assert re.search(r"^could be better +storage +Homes are neither", done.stdout, re.MULTILINE)


def test_the_way_through_the_proxy_of_the_documents_is_well(
    ask: Ask, tmp_path: Path, good: str, port: int
) -> None:
    with nginx(tmp_path, good, port):
        _, found = ask("--url", f"https://localhost:{port}")
    assert verdicts(found, *WAY) == ["ok"] * 6


@pytest.mark.parametrize(
    ("damage", "bad", "hint"),
    [
        (
            lambda text: re.sub(r".*proxy_set_header (Upgrade|Connection) .*\n", "", text),
            {"websocket", "preview-websocket"},
            "proxy_http_version 1.1",
        ),
        (
            lambda text: text.replace("$http_host", "$host"),
            {"websocket", "previews"},
            "Host with its port",
        ),
        (
            lambda text: re.sub(r".*proxy_set_header X-Forwarded-Proto .*\n", "", text),
            {"websocket", "previews"},
            "X-Forwarded-Proto",
        ),
        (
            lambda text: text.replace(
                "location /", "if ($host != localhost) { return 404; } location /"
            ),
            {"previews"},
            "every host below the apps domain",
        ),
        (
            lambda text: text.replace("proxy_pass", "return 502; proxy_pass"),
            {"reached"},
            "where the proxy sends",
        ),
    ],
    ids=["no-upgrade", "host-without-port", "no-scheme", "no-wildcard", "another-server"],
)
def test_what_a_proxy_does_wrong_is_named(
    ask: Ask,
    tmp_path: Path,
    good: str,
    port: int,
    damage: Callable[[str], str],
    bad: set[str],
    hint: str,
) -> None:
    with nginx(tmp_path, damage(good), port):
        code, found = ask("--url", f"https://localhost:{port}")
    assert {name for name, one in found.items() if one["verdict"] == "fail"} == bad
    assert code == 2
    assert any(hint in found[name]["hint"] for name in bad)


def test_a_certificate_that_does_not_cover_previews_is_named(
    ask: Ask, tmp_path: Path, good: str, port: int, trusted: tuple[Path, Path]
) -> None:
    certificate(tmp_path, "localhost", days=5)
    with nginx(tmp_path, good, port):
        _, found = ask("--url", f"https://localhost:{port}")
    assert verdicts(found, "tls", "preview-tls", "previews") == ["warn", "fail", "ok"]
    assert "4 days" in found["tls"]["what"]


def test_a_certificate_of_nobody_is_named(
    ask: Ask, tmp_path: Path, good: str, port: int, server: Server
) -> None:
    (tmp_path / "other").mkdir()
    chain, key = certificate(tmp_path / "other", "localhost", f"*.{APPS}")
    text = good.replace(f"{tmp_path}/fullchain.pem", str(chain))
    with nginx(tmp_path, text.replace(f"{tmp_path}/privkey.pem", str(key)), port):
        _, found = ask("--url", f"https://localhost:{port}")
    assert verdicts(found, "tls", "panel") == ["fail", "ok"]


def test_a_proxy_that_does_not_run_is_named(ask: Ask, port: int) -> None:
    code, found = ask(panel_url=f"https://localhost:{port}")
    assert (code, found["reached"]["verdict"]) == (2, "fail")
    assert "refused" in found["reached"]["what"]
    assert found["server"]["verdict"] == "ok"


def test_previews_that_share_a_host_are_reached_on_their_ports(
    ask: Ask, tmp_path: Path, make_server: Callable[..., Server], port: int
) -> None:
    ports = f"{port}-{port}"
    shared = make_server(
        trusted_proxies=1, apps_host=APPS, apps_ports=ports, egress="off", storage="plain"
    ).start()
    chain, key = certificate(tmp_path, "localhost", APPS)
    panel = free_port()
    app = Flask("snippets", template_folder=str(PROJECT / "templates"))
    with app.app_context():
        settings = Settings(apps_host=APPS, apps_ports=ports, listen=shared.host)
        text = proxies.snippets(settings, "panel.test")[0].text
    text = text.replace("panel.test", "localhost").replace("listen 443 ", f"listen {panel} ")
    text = re.sub(r"\S+/fullchain.pem", str(chain), text)
    text = re.sub(r"\S+/privkey.pem", str(key), text)
    same = {"listen": shared.host, "data_dir": shared.data_dir, "apps_host": APPS}
    with nginx(tmp_path, text, panel):
        _, found = ask("--url", f"https://localhost:{panel}", apps_ports=ports, **same)
    assert verdicts(found, "server", *WAY) == ["ok"] * 7
    assert found["apps"]["verdict"] == "warn"


@pytest.mark.parametrize("url", ["panel.example.org", "https://", "ftp://a.example", "https://a/b",
                                 "https://u@a.example", "https://a:99999"])  # fmt: skip
def test_what_is_no_address_is_refused(ask: Ask, url: str) -> None:
    code, found = ask("--url", url)
    assert (code, list(found)) == (2, ["settings"])
