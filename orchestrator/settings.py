"""Every knob of the server, read once from the environment and an optional file.

A setting is a field of :class:`Settings`; its variable is ``ROOTBLOOD_<FIELD>``. The file, TOML
with the fields' names as keys, is ``rootblood.toml`` in the data directory; the environment wins.
"""

import difflib
import ipaddress
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchestrator.errors import BadInput
from orchestrator.names import is_own_machine, parse_authority, parse_host

PREFIX = "ROOTBLOOD_"
FILE_NAME = "rootblood.toml"
SET_IN_WORKSPACES = frozenset(
    {"ROOTBLOOD_USER", "ROOTBLOOD_WORKSPACE", "ROOTBLOOD_EMAIL_DOMAIN", "ROOTBLOOD_HOME_CAPPED"}
)
"""What every workspace knows of itself: a server may be developed inside one."""


APPS_PORTS_MAX = 1000


class Registration(StrEnum):
    """Who may create an account; the first account never needs an invitation."""

    OPEN = "open"
    INVITE = "invite"
    CLOSED = "closed"


class StorageChoice(StrEnum):
    """How homes are kept: see docs/explanation/homes.md."""

    AUTO = "auto"
    VAULT = "vault"
    PLAIN = "plain"


def _setting(
    default: Any, help: str, *, unit: str = "", least: float = 0, most: float = math.inf
) -> Any:
    bounds = {"least": least, "most": most}
    return field(default=default, metadata={"help": help, "unit": unit} | bounds)


@dataclass(frozen=True, slots=True)
class Settings:
    """The server's configuration; ``docs/reference/settings.md`` lists the same fields."""

    data_dir: Path = _setting(Path("data"), "Database, secret key, sockets and the commons.")
    database_url: str = _setting(
        "", "SQLAlchemy URL; empty is SQLite in the data directory. PostgreSQL: "
        "postgresql+psycopg://user:password@host/name.",
    )  # fmt: skip
    listen: str = _setting("127.0.0.1:8000", "Address and port to serve on.")
    apps_domain: str = _setting(
        "localhost", "What runs in workspaces is opened on hosts below this one, which all must "
        "reach this server; with a port where it is not the panel's. In production a domain that "
        "the panel's does not share: see 'How to give previews a domain'."
    )  # fmt: skip
    apps_host: str = _setting(
        "", "Where there is no wildcard DNS: a second host name, other than the panel's, on which "
        "each preview gets a port of its own. It replaces apps_domain."
    )  # fmt: skip
    apps_ports: str = _setting(
        "9000-9049", "The ports of apps_host, first and last. Without a trusted proxy the server "
        "listens on them itself."
    )  # fmt: skip
    panel_url: str = _setting(
        "", "Where browsers reach the panel, as https://panel.example.org: from there, and from "
        "nowhere else, previews are opened. Needed unless previews are at localhost or below it."
    )  # fmt: skip
    trusted_proxies: int = _setting(
        0, "Reverse proxies in front whose X-Forwarded-* headers count.", unit="proxies"
    )
    registration: Registration = _setting(
        Registration.OPEN, "Who may sign up: open, invite (single-use links) or closed."
    )
    rate_limits: bool = _setting(
        True, "Limit sign-ins and sign-ups per address and account. Off only for load tests."
    )
    login_seconds: int = _setting(
        14 * 86400, "How long a sign-in lasts without being used.", unit="seconds", least=60
    )
    instance: str = _setting(
        "rootblood", "Name of this installation on its engine: network, labels, firewall chains."
    )
    engine_url: str = _setting("unix:///var/run/docker.sock", "Where the Docker Engine answers.")
    egress: bool = _setting(
        True, "Keep workspaces from the host and private networks (needs root). Off trusts them."
    )
    egress_allow: tuple[str, ...] = _setting(
        (), "Private ranges that workspaces may reach, as CIDR, separated by commas."
    )
    uid_base: int = _setting(
        # Below 1000 live the system's own accounts; PostgreSQL's integers end at 2^31.
        200_000, "Accounts get host uids and gids above this number.", unit="uid",
        least=1000, most=2_000_000_000,
    )  # fmt: skip
    idle_seconds: int = _setting(
        1800, "Stop a workspace after this long without input and work.", unit="seconds", least=1
    )
    max_busy_seconds: int = _setting(
        86_400, "Stop a workspace that works on without any input after this long.",
        unit="seconds",
    )  # fmt: skip
    busy_cpu_percent: float = _setting(
        3.0, "CPU over this counts as work; 100 is one core.", unit="percent"
    )
    busy_io_bytes_per_second: int = _setting(
        16_384, "Block or network traffic over this counts as work.", unit="bytes/s"
    )
    collector_seconds: float = _setting(
        15.0, "How often the collector looks.", unit="seconds", least=0.05
    )
    start_seconds: float = _setting(
        60.0, "How long a workspace may take to serve its terminal.", unit="seconds", least=0.1
    )
    storage: StorageChoice = _setting(
        StorageChoice.AUTO, "How homes are kept: vault (encrypted, capped), plain (volumes of the "
        "engine) or auto, which tries whether this machine can do vault."
    )  # fmt: skip
    reserve_bytes: int = _setting(
        10 << 30, "Refuse to start workspaces when the disk has less left; below half of it, "
        "homes take no further writes.", unit="bytes",
    )  # fmt: skip
    escrow: bool = _setting(
        False, "Wrap a copy of every home's key for the operator, whose public key is escrow.pem "
        "in the data directory: see 'How to recover a home'. People see that it is on."
    )  # fmt: skip
    unlock_seconds: int = _setting(
        900, "How long an unlocked home stays so while nothing uses it.", unit="seconds"
    )
    snapshot_seconds: int = _setting(
        3600, "Take a snapshot of a home this often while a workspace runs; 0 is never.",
        unit="seconds",
    )  # fmt: skip
    snapshot_keep_hours: int = _setting(24, "Keep the last snapshot of this many hours.",
                                        unit="count")  # fmt: skip
    snapshot_keep_days: int = _setting(7, "Keep the last snapshot of this many days.", unit="count")
    snapshot_keep_weeks: int = _setting(4, "Keep the last snapshot of this many weeks.",
                                        unit="count")  # fmt: skip
    backup_url: str = _setting(
        "", "Keep snapshots there instead of beside the homes: s3: or rest: as restic knows "
        "them. Each home gets a repository of its own below it."
    )  # fmt: skip
    backup_environment: str = _setting(
        "", "A file of NAME=value lines that restic needs to reach backup_url."
    )
    account_grace_seconds: int = _setting(
        7 * 86400, "How long the files of a deleted account are kept; its keys go at once.",
        unit="seconds",
    )  # fmt: skip
    allowance_disk_bytes: int = _setting(
        10 << 30, "Disk a person may use: files and snapshots together.", unit="bytes",
        least=64 << 20,
    )  # fmt: skip
    push_bytes: int = _setting(
        2 << 30, "The most that one push to the commons may bring.", unit="bytes", least=1 << 20
    )
    push_file_bytes: int = _setting(
        512 << 20,
        "The most that one file pushed to the commons may have.",
        unit="bytes",
        least=1024,
    )
    allowance_hours: float = _setting(
        0.0, "Hours a week that a person's workspaces may run, added up; 0 is without a limit.",
        unit="hours",
    )  # fmt: skip
    allowance_workspaces: int = _setting(5, "Workspaces a person may have.", unit="count")
    allowance_cpus: float = _setting(2.0, "CPUs one workspace may use.", unit="cores")
    allowance_memory_bytes: int = _setting(4 << 30, "Memory one workspace may use.", unit="bytes")
    allowance_pids: int = _setting(1024, "Processes one workspace may have.", unit="count")

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'rootblood.db'}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of :attr:`listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def apps_port_range(self) -> range:
        """The ports of :attr:`apps_ports`."""
        first, _, last = self.apps_ports.partition("-")
        return range(int(first), int(last) + 1)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Build the settings. Raises: BadInput, naming the variable and the nearest known one."""
        given = os.environ if environ is None else environ
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        values: dict[str, Any] = {}
        data_dir = Path(given.get(PREFIX + "DATA_DIR", "data"))
        for key, value in _read_file(data_dir / FILE_NAME).items():
            values[_known(PREFIX + key.upper(), known).name] = value
        for name, value in given.items():
            if name.startswith(PREFIX) and name not in SET_IN_WORKSPACES:
                values[_known(name, known).name] = value
        values["data_dir"] = data_dir
        made = cls(**{name: _parse(known[PREFIX + name.upper()], v) for name, v in values.items()})
        _check_panel(made)
        return made


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:  # no TOML, no UTF-8, or no path
        raise BadInput(f"{path} is not valid TOML: {error}", field=str(path)) from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", field=str(path)) from error


def _check_panel(settings: Settings) -> None:
    """Raise BadInput where previews and the panel cannot be told apart, or find each other."""
    panel = settings.panel_url.partition("://")[2].partition(":")[0]
    domain = settings.apps_domain.partition(":")[0]
    where = settings.apps_host or domain
    if not panel and not is_own_machine(where):
        # What a request says of the host it came to, anybody may say.
        raise BadInput(
            f"{PREFIX}PANEL_URL is needed where previews are at {where}",
            field=f"{PREFIX}PANEL_URL",
            hint="Set it to where browsers reach the panel, such as https://panel.example.org.",
        )
    if settings.apps_host:
        name, shut_out = "APPS_HOST", (panel or "localhost") == settings.apps_host
    else:
        name, shut_out = "APPS_DOMAIN", panel.endswith(f".{domain}")
    if shut_out:
        raise BadInput(
            f"{PREFIX}{name} has the panel's own host among those of previews",
            field=PREFIX + name,
            hint=f"The panel is at {settings.panel_url or 'http://localhost'}; "
            "choose another name for previews.",
        )


def _known(name: str, known: Mapping[str, Field[Any]]) -> Field[Any]:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else "docs/reference/settings.md lists them all."
    raise BadInput(f"Unknown setting {name}", field=name, hint=hint)


_WORDS = {"on": True, "true": True, "1": True, "yes": True, "enforce": True,
          "off": False, "false": False, "0": False, "no": False}  # fmt: skip


def _parse(setting: Field[Any], value: Any) -> Any:
    name = PREFIX + setting.name.upper()
    default = setting.default
    try:
        if isinstance(default, bool):
            return value if isinstance(value, bool) else _WORDS[str(value).lower()]
        if isinstance(default, tuple):
            items = map(str, value) if isinstance(value, list) else str(value).split(",")
            return tuple(str(ipaddress.ip_network(i.strip())) for i in items if i.strip())
        if isinstance(default, StrEnum):
            return type(default)(str(value))
        if isinstance(default, Path):
            return Path(value)
        if isinstance(default, int | float):
            return _number(setting, value)
        return _text(setting.name, value)
    except (ValueError, KeyError, OverflowError) as error:
        raise BadInput(
            f"{name}={value!r} cannot be used", field=name, hint=setting.metadata["help"]
        ) from error


def _number(setting: Field[Any], value: Any) -> int | float:
    number = int(value) if isinstance(setting.default, int) else float(value)
    if isinstance(value, bool) or (isinstance(value, float) and number != value):
        raise ValueError("another type")
    least, most = setting.metadata["least"], setting.metadata["most"]
    if not (math.isfinite(number) and least <= number <= most):
        raise ValueError("out of bounds")
    return number


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    if name == "listen":
        host, _, port = value.rpartition(":")
        if not host or not 0 < int(port) < 65536:
            raise ValueError(value)
    # restic knows more; those would need files in its container, such as SSH keys.
    if name == "backup_url" and not re.fullmatch(r"((rest|s3):\S+)?", value):
        raise ValueError("another kind")
    if name == "apps_domain":
        parse_authority(value)
    if name == "apps_host" and value:
        parse_host(value)
    if name == "apps_ports":
        first, last = (int(port) for port in value.split("-"))
        if not 0 < first <= last < 65536 or last - first >= APPS_PORTS_MAX:
            raise ValueError("no ports")
    if name == "panel_url" and value:
        return _origin(value)
    # It becomes part of command lines and of names: it must not look like an option.
    if name == "instance" and not re.fullmatch(r"(?=.{1,20}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*", value):
        raise ValueError(value)
    return value


def _origin(text: str) -> str:
    """Return an origin as browsers write it: without the port that goes without saying."""
    scheme, _, authority = text.partition("://")
    standard = {"http": "80", "https": "443"}[scheme]
    host, port = parse_authority(authority)
    return f"{scheme}://{host}" + (f":{port}" if port not in ("", standard) else "")
