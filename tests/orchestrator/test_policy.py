from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import State, Template, User, Workspace
from orchestrator.errors import AllowanceReached, BadInput
from orchestrator.policy import (
    CPUS_MIN,
    DISK_MIN_BYTES,
    MEMORY_MIN_BYTES,
    PIDS_MIN,
    Allowance,
    allowance_of,
    check_limits,
    default_limits,
    helper_spec,
    home_of,
    level,
    spec_for,
)
from orchestrator.settings import Settings
from orchestrator.spec import Limits, Mount, Spec

NOW = datetime(2031, 5, 6, tzinfo=UTC)
HASH = "0123456789abcdef"
SECRET = "scrypt:1:1:1$salt$hash"
ALLOWANCE = Allowance(
    workspaces=5, cpus=2.0, memory_bytes=4 << 30, pids=1024, disk_bytes=10 << 30, hours=0.0
)


def user(**changes: object) -> User:
    given_ = {"username": "ann", "userhash": HASH, "uid": 200_001, "password_hash": SECRET,
              "id": 1, "created_at": NOW}  # fmt: skip
    return User(**(given_ | changes))


def template(**changes: object) -> Template:
    given_ = {"name": "chaospine", "title": "C", "image": "chaospine:1.0.0", "cpus": 1.0,
              "memory_bytes": 1 << 30, "pids": 512, "ports": [], "read_only_root": True,
              "created_at": NOW}  # fmt: skip
    return Template(**(given_ | changes))


def workspace(**changes: object) -> Workspace:
    given_ = {
        "name": "web", "cpus": 0.5, "memory_bytes": 256 << 20, "pids": 64,
        "state": State.STOPPED, "user": user(), "template": template(), "created_at": NOW,
    }  # fmt: skip
    return Workspace(**(given_ | changes))


HOME = Mount(f"home_{HASH}", "/home/ann", volume=True)


def test_a_workspace_runs_exactly_so() -> None:
    assert spec_for(workspace(), HOME, "/srv/global") == Spec(
        name=f"rb-{HASH}-web",
        image="chaospine:1.0.0",
        user=(200_001, 200_001),
        limits=Limits(cpus=0.5, memory_bytes=256 << 20, pids=64),
        command=(),
        entrypoint=(),
        environment=(
            ("HOME", "/home/ann"),
            ("LANG", "C.UTF-8"),
            ("LOGNAME", "ann"),
            ("ROOTBLOOD_EMAIL_DOMAIN", "rootblood.local"),
            ("ROOTBLOOD_USER", "ann"),
            ("ROOTBLOOD_WORKSPACE", "web"),
            ("SHELL", "/bin/bash"),
            ("TMUX_TMPDIR", "/tmp"),
            ("USER", "ann"),
        ),
        mounts=(HOME, Mount("/srv/global", "/global", read_only=True)),
        hostname="web",
        working_dir="/home/ann",
        read_only_root=True,
        network=True,
        run_dir=True,
        sockets=((7681, "ttyd.sock"),),
    )


def test_a_template_may_opt_out_of_the_read_only_root() -> None:
    row = workspace(template=template(read_only_root=False))
    assert not spec_for(row, HOME, "/srv/global").read_only_root


def test_a_workspace_knows_that_its_home_has_a_size() -> None:
    spec = spec_for(workspace(), HOME, "/srv/global", capped=True)
    assert dict(spec.environment)["ROOTBLOOD_HOME_CAPPED"] == "1"
    assert list(spec.environment) == sorted(spec.environment)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (0, "ok"), (899, "ok"), (900, "nearly-full"), (989, "nearly-full"), (990, "full"),
        (1000, "full"), (5000, "full"),
    ],
)  # fmt: skip
def test_a_home_is_nearly_full_from_90_percent_on(used: int, expected: str) -> None:
    assert level(used << 20, 1000 << 20) == expected


@pytest.mark.parametrize("spec", [
    spec_for(workspace(), HOME, "/srv/global"),
    helper_spec(user(), "rbx-1", "chaospine:1.0.0", HOME, 60),
])  # fmt: skip
def test_nothing_secret_goes_into_a_container(spec: Spec) -> None:
    assert SECRET not in repr(spec)
    assert HASH not in repr(spec.environment)
    assert not [k for k, _ in spec.environment if {"TOKEN", "SECRET", "PASSWORD", "KEY"} & {k}]


def test_nobody_runs_as_root_or_mounts_the_engine() -> None:
    spec = spec_for(workspace(), HOME, "/srv/global")
    assert min(spec.user) > 0
    assert "docker.sock" not in repr(spec)


def test_a_helper_sees_the_home_and_nothing_else() -> None:
    spec = helper_spec(user(), "rbx-1", "chaospine:1.0.0", HOME, 60)
    assert spec.mounts == (replace(HOME, read_only=True),)
    assert (spec.network, spec.run_dir, spec.read_only_root) == (False, False, True)
    assert spec.entrypoint == ("/bin/sleep", "60")
    assert spec.user == (200_001, 200_001)


def test_homes_are_named_after_the_hash() -> None:
    assert home_of(user()) == f"home_{HASH}"


def test_an_allowance_is_the_users_own_where_there_is_one() -> None:
    settings = Settings(allowance_workspaces=3, allowance_cpus=1.5)
    default = Allowance(
        3, 1.5, settings.allowance_memory_bytes, settings.allowance_pids, 10 << 30, 0
    )
    assert allowance_of(settings, user()) == default
    own = user(max_workspaces=0, max_cpus=8.0, max_memory_bytes=1 << 40, max_pids=32,
               max_disk_bytes=1 << 30, max_hours=2.5)  # fmt: skip
    assert allowance_of(settings, own) == Allowance(0, 8.0, 1 << 40, 32, 1 << 30, 2.5)
    assert allowance_of(settings, user(max_pids=99)) == replace(default, pids=99)


limits = st.builds(Limits, st.floats(0.01, 64), st.integers(1, 1 << 40), st.integers(1, 1 << 16))
allowances = st.builds(
    Allowance, st.integers(0, 9), st.floats(CPUS_MIN, 64), st.integers(MEMORY_MIN_BYTES, 1 << 40),
    st.integers(PIDS_MIN, 1 << 16), st.integers(DISK_MIN_BYTES, 1 << 40), st.floats(0, 168),
)  # fmt: skip


@given(limits, allowances)
def test_limits_lie_between_the_least_and_the_allowance(
    given_: Limits, allowance: Allowance
) -> None:
    least = (CPUS_MIN, MEMORY_MIN_BYTES, PIDS_MIN)
    asked = (given_.cpus, given_.memory_bytes, given_.pids)
    most = (allowance.cpus, allowance.memory_bytes, allowance.pids)
    fits = all(a <= b <= c for a, b, c in zip(least, asked, most, strict=True))
    if fits:
        assert check_limits(given_, allowance) is given_
    else:
        with pytest.raises((BadInput, AllowanceReached)):
            check_limits(given_, allowance)


@given(allowances)
def test_a_templates_limits_are_cut_down_to_the_allowance(allowance: Allowance) -> None:
    assert check_limits(default_limits(template(), allowance), allowance)


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (Limits(0.05, 1 << 30, 64), BadInput, "cpus must be at least 0.1"),
        (Limits(float("nan"), 1 << 30, 64), BadInput, "cpus"),
        (Limits(float("inf"), 1 << 30, 64), AllowanceReached, "Your account allows cpus up to 2"),
        (Limits(1.0, 1, 64), BadInput, "memory_bytes"),
        (Limits(1.0, 1 << 60, 64), AllowanceReached, "memory_bytes"),
        (Limits(1.0, 1 << 30, 1), BadInput, "pids"),
        (Limits(1.0, 1 << 30, 9999), AllowanceReached, "pids up to 1024"),
    ],
)
def test_a_refusal_names_the_limit(bad: Limits, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check_limits(bad, ALLOWANCE)


def test_equal_specs_have_equal_digests_and_others_others() -> None:
    spec = spec_for(workspace(), HOME, "/srv/global")
    assert spec.digest() == spec_for(workspace(), HOME, "/srv/global").digest()
    others = [
        spec_for(workspace(cpus=1.0), HOME, "/srv/global"),
        spec_for(workspace(name="x"), HOME, "/srv/global"),
        spec_for(workspace(), replace(HOME, read_only=True), "/srv/global"),
        spec_for(workspace(), HOME, "/elsewhere"),
        spec_for(workspace(template=template(image="x:2")), HOME, "/srv/global"),
    ]
    assert len({spec.digest(), *(other.digest() for other in others)}) == 6
