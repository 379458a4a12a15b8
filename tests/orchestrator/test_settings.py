from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BadInput
from orchestrator.previews.domain import AppsDomain
from orchestrator.settings import FILE_NAME, PREFIX, Registration, Settings

NAMES = [field.name for field in fields(Settings)]


def read(**variables: str) -> Settings:
    """Read the settings from ``ROOTBLOOD_<name>`` variables alone."""
    return Settings.from_environment({PREFIX + name.upper(): v for name, v in variables.items()})


def refused(**variables: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(**variables)
    name, *_ = variables
    assert caught.value.field == PREFIX + name.upper()
    assert PREFIX + name.upper() in caught.value.message
    assert caught.value.hint
    return caught.value


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_other_variables_are_none_of_our_business() -> None:
    assert Settings.from_environment({"PATH": "/bin", "ROOTBLOODY": "x"}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("data_dir", "/srv/rb", Path("/srv/rb")),
        ("database_url", "postgresql+psycopg://u:p@h/n", "postgresql+psycopg://u:p@h/n"),
        ("listen", "0.0.0.0:80", "0.0.0.0:80"),
        ("listen", "[::1]:8000", "[::1]:8000"),
        ("trusted_proxies", "2", 2),
        ("registration", "invite", Registration.INVITE),
        ("registration", "closed", Registration.CLOSED),
        ("rate_limits", "off", False),
        ("rate_limits", "TRUE", True),
        ("egress", "0", False),
        ("egress", "enforce", True),
        ("egress_allow", "10.1.0.0/16, 192.168.7.7", ("10.1.0.0/16", "192.168.7.7/32")),
        ("egress_allow", "", ()),
        ("idle_seconds", "60", 60),
        ("busy_cpu_percent", "2.5", 2.5),
        ("collector_seconds", "1", 1.0),
        ("instance", "rb-2", "rb-2"),
    ],
)
def test_values_are_parsed(name: str, text: str, value: object) -> None:
    found = getattr(read(**{name: text}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("listen", "8000"), ("listen", "host:"), ("listen", ":80"), ("listen", "h:0"),
        ("listen", "h:65536"), ("listen", "h:http"),
        ("trusted_proxies", "-1"), ("trusted_proxies", "one"), ("trusted_proxies", "1.5"),
        ("registration", "maybe"), ("registration", ""),
        ("rate_limits", "perhaps"), ("egress", ""),
        ("egress_allow", "10.0.0.1/8"), ("egress_allow", "example.org"), ("egress_allow", "10/33"),
        ("uid_base", "0"), ("uid_base", "999"), ("uid_base", "4294967295"),
        ("idle_seconds", "0"), ("idle_seconds", "-5"), ("idle_seconds", "soon"),
        ("busy_cpu_percent", "nan"), ("busy_cpu_percent", "inf"),
        ("collector_seconds", "0"), ("collector_seconds", "nan"), ("start_seconds", "inf"),
        ("instance", ""), ("instance", "a b"), ("instance", "x" * 21), ("instance", "größe"),
        ("instance", "-P"), ("instance", "a/b"), ("instance", "a-"),
        ("backup_url", "sftp:me@host:/srv"), ("backup_url", "/srv"), ("backup_url", "s3:a b"),
        ("apps_domain", "a" * 64), ("apps_domain", "x:99999"), ("apps_domain", "x:"),
        ("apps_domain", "-x"), ("apps_domain", "X.test"), ("apps_domain", ""),
        ("apps_host", "a" * 64 + ".test"), ("apps_host", "x:80"), ("apps_host", "a..b"),
        ("apps_ports", "9000"), ("apps_ports", "2-1"), ("apps_ports", "1-70000"),
        ("panel_url", "panel.test"), ("panel_url", "https://x:99999"), ("panel_url", "https://x/"),
        ("allowance_cpus", "nan"), ("allowance_workspaces", "many"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(name: str, text: str) -> None:
    refused(**{name: text})


@pytest.mark.parametrize(
    "given",
    [
        {"apps_host": "panel.test", "panel_url": "https://panel.test"},
        {"apps_domain": "apps.test", "panel_url": "https://panel.apps.test"},
        {"apps_domain": "apps.test:8443", "panel_url": "https://a.b.apps.test:444"},
        {"apps_domain": "localhost", "panel_url": "http://panel.localhost:8000"},
        {"apps_host": "localhost"},
    ],
)
def test_no_panel_is_shut_out_by_its_previews(given: dict[str, str]) -> None:
    """All requests to hosts of previews are the previews'."""
    assert refused(**given).hint.startswith("The panel is at http")


@pytest.mark.parametrize(
    "given",
    [
        {"apps_host": "apps.test", "panel_url": "https://panel.test"},
        {"apps_host": "apps.test", "panel_url": "https://panel.localhost"},
        {"apps_domain": "apps.test", "panel_url": "https://apps.test"},
        {"apps_domain": "apps.test", "panel_url": "https://panel-apps.test"},
    ],
)
def test_a_panel_beside_its_previews_is_well(given: dict[str, str]) -> None:
    assert read(**given).panel_url == given["panel_url"]


@pytest.mark.parametrize(
    "given",
    [{"apps_domain": "apps.test"}, {"apps_domain": "apps.test:8443"}, {"apps_host": "apps.test"},
     {"apps_domain": "notlocalhost"}],
)  # fmt: skip
def test_previews_for_others_need_to_know_where_the_panel_is(given: dict[str, str]) -> None:
    """Else who asks for a page by whatever name of the server would be the one to say."""
    with pytest.raises(BadInput, match=next(iter(given.values())).partition(":")[0]) as caught:
        read(**given)
    assert caught.value.field == "ROOTBLOOD_PANEL_URL"
    assert "https://" in caught.value.hint
    assert read(panel_url="https://panel.test", **given)


@pytest.mark.parametrize("name", ["apps_domain", "apps_host"])
def test_previews_on_ones_own_machine_need_not(name: str) -> None:
    assert read(**{name: "apps.localhost"})


@pytest.mark.parametrize(
    ("given", "origin"),
    [("https://p.test:443", "https://p.test"), ("http://p.test:80", "http://p.test"),
     ("http://p.test:443", "http://p.test:443"), ("https://p.test:80", "https://p.test:80")],
)  # fmt: skip
def test_the_panels_address_is_written_as_browsers_do(given: str, origin: str) -> None:
    assert read(panel_url=given).panel_url == origin


@given(st.from_regex(r"[a-z0-9.:-]{1,70}", fullmatch=True))
def test_every_apps_domain_that_can_be_set_is_one(text: str) -> None:
    with suppress(BadInput):
        assert AppsDomain.parse(read(apps_domain=text, panel_url="https://panel").apps_domain)


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("IDLE_SECOND", "IDLE_SECONDS"),
        ("DATABASE", "DATABASE_URL"),
        ("REGISTRATON", "REGISTRATION"),
        ("ALLOWANCE_MEMORY", "ALLOWANCE_MEMORY_BYTES"),
    ],
)
def test_an_unknown_variable_names_the_nearest(typed: str, nearest: str) -> None:
    with pytest.raises(BadInput, match=f"Unknown setting {PREFIX}{typed}") as caught:
        Settings.from_environment({PREFIX + typed: "1"})
    assert caught.value.hint == f"Did you mean {PREFIX}{nearest}?"


def test_an_unknown_variable_near_to_none_names_the_list() -> None:
    with pytest.raises(BadInput) as caught:
        Settings.from_environment({PREFIX + "QQQQQQQQQQQQQQQQQQQQQQQQ": "1"})
    assert "docs/reference/settings.md" in caught.value.hint


@given(st.sampled_from(NAMES), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_is_a_value_or_a_complaint(name: str, text: str) -> None:
    with suppress(BadInput):
        assert isinstance(read(**{name: text}), Settings)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def from_file(file: Path, **variables: str) -> Settings:
    return read(data_dir=str(file.parent), **variables)


def test_the_file_is_read_and_the_environment_wins(file: Path) -> None:
    file.write_text('idle_seconds = 60\nregistration = "closed"\negress_allow = ["10.0.0.0/8"]\n')
    settings = from_file(file, idle_seconds="90")
    assert settings.idle_seconds == 90
    assert settings.registration is Registration.CLOSED
    assert settings.egress_allow == ("10.0.0.0/8",)
    assert settings.data_dir == file.parent


@pytest.mark.parametrize(
    "text",
    [
        "idle_seconds = ", "idle_second = 3", "[section]\nx = 1", "idle_seconds = true",
        "idle_seconds = 1.5", "listen = 8000", 'idle_seconds = "soon"', "rate_limits = 2",
        'registration = ["open"]', "database_url = 5", "egress_allow = [5.5]",
    ],
)  # fmt: skip
def test_a_broken_file_is_an_error(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(BadInput):
        from_file(file)


def test_a_file_that_is_no_text_is_an_error(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput):
        from_file(file)


def test_the_database_is_sqlite_in_the_data_directory_unless_named(tmp_path: Path) -> None:
    assert read(data_dir=str(tmp_path)).database == f"sqlite:///{tmp_path}/rootblood.db"
    assert read(database_url="postgresql+psycopg:///x").database == "postgresql+psycopg:///x"


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:8000", ("127.0.0.1", 8000)), ("[::]:80", ("::", 80)), ("host:1", ("host", 1))],
)
def test_the_address_is_split(listen: str, address: tuple[str, int]) -> None:
    assert read(listen=listen).address == address


def test_every_setting_explains_itself_and_has_its_unit_in_its_name() -> None:
    for field in fields(Settings):
        assert field.metadata["help"].endswith("."), field.name
        unit = field.metadata["unit"]
        for word in ("seconds", "bytes", "percent"):
            if unit == word:
                assert field.name.endswith(f"_{word}"), field.name
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert unit, field.name


def test_server_starts_inside_a_workspace() -> None:
    given = {"ROOTBLOOD_USER": "ada", "ROOTBLOOD_WORKSPACE": "main", "ROOTBLOOD_EMAIL_DOMAIN": "x",
             "ROOTBLOOD_HOME_CAPPED": "1"}  # fmt: skip
    assert Settings.from_environment(given) == Settings()


@pytest.mark.parametrize("path", ["\x00", "x" * 5000])
def test_data_directory_that_cannot_be_is_a_complaint(path: str) -> None:
    with pytest.raises(BadInput):
        Settings.from_environment({"ROOTBLOOD_DATA_DIR": path})
