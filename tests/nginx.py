"""A real reverse proxy in front of a server, set up as the documents say, or worse."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask

from orchestrator.settings import Settings
from tests.conftest import missing
from tests.end_to_end.server import PROJECT, Server
from tests.end_to_end.waiting import until
from web import proxies


def program() -> str:
    """Return where nginx is."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        missing("needs nginx: apt-get install nginx-light")
    return str(found)


def certificate(directory: Path, *names: str, days: int = 90) -> tuple[Path, Path]:
    """Write a certificate for these hosts that nobody has signed; return its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    kinds = [
        x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        for name in names
    ]
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=200))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(kinds), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = directory / "fullchain.pem", directory / "privkey.pem"
    chain.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    return chain, private


def documented(
    server: Server, directory: Path, panel: str, apps: str, port: int, ports: str = ""
) -> str:
    """Return what the documents say for a panel and an apps domain, to listen on ``port``.

    Where there are ``ports``, previews have them, and ``apps`` is the host that they share.
    """
    chain, key = certificate(directory, panel, apps if ports else f"*.{apps}")
    settings = Settings(apps_domain=apps, listen=server.host)
    if ports:
        settings = Settings(apps_host=apps, apps_ports=ports, listen=server.host)
    app = Flask("snippets", template_folder=str(PROJECT / "templates"))
    with app.app_context():
        (text,) = (s.text for s in proxies.snippets(settings, panel) if s.program == "nginx")
    text = text.replace("listen 443 ", f"listen 127.0.0.1:{port} ")
    text = text.replace(f"listen {ports} ", f"listen 127.0.0.1:{ports} ") if ports else text
    text = re.sub(r"\S+/fullchain.pem", str(chain), text)
    return re.sub(r"\S+/privkey.pem", str(key), text)


@contextmanager
def nginx(directory: Path, text: str, port: int) -> Iterator[None]:
    """Run nginx with ``text`` in its ``http`` block until the end; it listens on ``port``."""
    config = directory / "nginx.conf"
    config.write_text(f"""
        daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr warn;
        {"user root;" if os.geteuid() == 0 else ""}
        events {{ worker_connections 512; }}
        http {{
          access_log off; server_names_hash_bucket_size 128;
          client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
          fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u;
          scgi_temp_path {directory}/s;
          {text}
        }}""")
    with (directory / "nginx.log").open("ab") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program(), "-p", str(directory), "-c", str(config)],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or _listens(port), "nginx listens")
        assert process.poll() is None, (directory / "nginx.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
