import fcntl
import mmap
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from docker import APIClient

from orchestrator.engines.docker import DockerEngine
from orchestrator.errors import AllowanceReached, Busy, EngineError, NoSpace, StorageError, WrongKey
from orchestrator.spec import Limits, Spec
from orchestrator.storage import Home, ext4, freezing, mounts
from orchestrator.storage.commands import run
from orchestrator.storage.locks import holding
from orchestrator.storage.plain import PlainStorage
from orchestrator.storage.vault import VaultStorage
from tests.conftest import DOCKER_URL, PREFIX
from tests.orchestrator.engines.containers import eventually
from tests.orchestrator.storage.conftest import MIB, OWNER

_SHUT_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_WITHOUT_FLUSHING = 2

pytestmark = pytest.mark.engine

MakeVault = Callable[..., VaultStorage]


@pytest.fixture
def tree(mount_root: Path, home: Home) -> Path:
    return mount_root / home.name / "home"


@pytest.fixture
def raw(tmp_path: Path, home: Home) -> Path:
    return tmp_path / "homes" / f"{home.name}.img"


@pytest.fixture
def workspace(
    docker_engine: DockerEngine, image: str, run_id: str, home: Home
) -> Callable[[VaultStorage], str]:
    """Return a starter of a container that has the home: ``workspace(vault)`` is its name."""

    def start(vault: VaultStorage) -> str:
        spec = Spec(
            name=f"rb-{run_id}-vault",
            image=image,
            user=OWNER,
            limits=Limits(1.0, 64 << 20, 32),
            entrypoint=("sleep", "1000"),
            mounts=(vault.mount(home.name, "/home/alice"),),
        )
        docker_engine.run(spec)
        return spec.name

    return start


def holds(file: Path, canary: bytes) -> bool:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as content:
        return content.find(canary) >= 0


def synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def test_names_and_contents_are_ciphertext_in_the_image(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    canary = secrets.token_hex(16)
    vault.unlock(home, key)
    (tree / f"name-{canary}").write_text(f"content-{canary}\n" * 1000)
    (tree / "link").symlink_to(f"target-{canary}")
    os.sync()
    assert (tree / f"name-{canary}").read_text().startswith(f"content-{canary}")
    assert not holds(raw, canary.encode()), "while unlocked"
    vault.lock(home.name)
    assert not holds(raw, canary.encode()), "while locked"
    vault.unlock(home, key)
    assert os.readlink(tree / "link") == f"target-{canary}"
    # The search itself finds what is not encrypted.
    (tree.parent / "beside").write_text(canary * 300)
    vault.lock(home.name)
    assert holds(raw, canary.encode())


def test_a_locked_home_is_neither_mounted_nor_held(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(home, key)
    assert mounts.loops_of(raw) != []
    vault.lock(home.name)
    assert mounts.loops_of(raw) == []
    assert not tree.parent.exists()


def test_the_key_is_in_no_error_and_on_no_command_line(
    vault: VaultStorage, home: Home, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = subprocess.Popen.__init__

    def spy(self: object, args: object, *more: object, **named: object) -> None:
        seen.append(f"{args!r} {named.get('env')!r}")
        real(self, args, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(subprocess.Popen, "__init__", spy)
    wrong = secrets.token_bytes(32)
    vault.unlock(home, key)
    vault.lock(home.name)
    with pytest.raises(WrongKey) as caught:
        vault.unlock(home, wrong)
    said = "\n".join([*seen, str(caught.value), repr(caught.value.__dict__), repr(vault)])
    assert "mkfs.ext4" in said
    for secret in (key, wrong):
        assert secret.hex() not in said
        assert repr(secret)[2:-1] not in said


def test_the_owner_writes_in_a_workspace_where_no_setuid_counts(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    tree: Path,
    workspace: Callable[[VaultStorage], str],
    docker_engine: DockerEngine,
) -> None:
    vault.unlock(home, key)
    name = workspace(vault)
    shown = docker_engine.exec(name, ["sh", "-c", "cd /home/alice && touch mine && ls -A"])
    assert (shown.exit_code, shown.stdout) == (0, b"mine\n")
    table = docker_engine.exec(name, ["grep", " /home/alice ", "/proc/mounts"]).stdout.decode()
    assert {"nosuid", "nodev"} <= set(table.split()[3].split(","))
    assert (tree / "mine").stat().st_uid == OWNER[0]


def test_a_home_in_use_is_not_locked_replaced_or_destroyed(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    workspace: Callable[[VaultStorage], str],
    docker_engine: DockerEngine,
) -> None:
    vault.unlock(home, key)
    vault.stage(home, key)
    name = workspace(vault)
    for attempt in (
        lambda: vault.lock(home.name),
        lambda: vault.adopt(home, key),
        lambda: vault.destroy(home.name),
    ):
        with pytest.raises(Busy):
            attempt()
        write = docker_engine.exec(name, ["sh", "-c", "echo x >> /home/alice/a"])
        assert write.exit_code == 0
    docker_engine.stop(name, grace=0.0)
    vault.lock(home.name)
    assert home.name not in vault.unlocked()


def test_what_is_staged_is_not_taken_from_a_container_that_fills_it(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    docker_engine: DockerEngine,
    image: str,
    run_id: str,
    make_vault: MakeVault,
    tree: Path,
) -> None:
    vault.unlock(home, key)
    vault.stage(home, key)
    spec = Spec(
        name=f"rb-{run_id}-restore",
        image=image,
        user=OWNER,
        limits=Limits(1.0, 64 << 20, 32),
        entrypoint=("sleep", "1000"),
        mounts=(vault.mount(f"{home.name}.staged", "/home/alice"),),
    )
    docker_engine.run(spec)
    for attempt in (
        lambda: vault.stage(home, key),
        lambda: vault.adopt(home, key),
        lambda: vault.discard(home.name),
        lambda: vault.destroy(home.name),
    ):
        with pytest.raises(Busy):
            attempt()
    make_vault().reconcile()
    wrote = docker_engine.exec(spec.name, ["sh", "-c", "echo new > /home/alice/file"])
    assert wrote.exit_code == 0
    docker_engine.remove(spec.name)
    vault.adopt(home, key)
    assert home.name in vault.unlocked(), "as it was before"
    assert (tree / "file").read_text() == "new\n"


def test_no_container_starts_on_a_locked_home(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    workspace: Callable[[VaultStorage], str],
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    with pytest.raises(EngineError):
        workspace(vault)


def test_a_volume_that_was_pruned_is_made_again_before_it_is_mounted(
    vault: VaultStorage, home: Home, key: bytes, docker_client: APIClient, tree: Path
) -> None:
    vault.unlock(home, key)
    docker_client.remove_volume(home.name)
    vault.mount(home.name, "/home/alice")
    assert docker_client.inspect_volume(home.name)["Options"]["device"] == str(tree)


def test_files_held_open_on_the_server_keep_the_home_from_being_locked(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    with (tree / "held").open("w") as file:
        with pytest.raises(Busy):
            vault.lock(home.name)
        file.write("still here")
    vault.lock(home.name)
    vault.unlock(home, key)
    assert (tree / "held").read_text() == "still here"


@pytest.mark.parametrize("zeroed", [range(1024, 2048), range(64 * 1024)])
def test_an_image_that_needs_a_human_is_left_as_it_is(
    vault: VaultStorage, home: Home, key: bytes, raw: Path, zeroed: range
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    with raw.open("r+b") as file:
        file.seek(zeroed.start)
        file.write(bytes(len(zeroed)))
    before = raw.read_bytes()
    with pytest.raises(StorageError, match="no readable file system") as caught:
        vault.unlock(home, key)
    assert "administrator" in caught.value.hint
    assert raw.read_bytes() == before
    assert mounts.loops_of(raw) == []


def test_an_image_damaged_beyond_safe_repair_is_named_and_stays_locked(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    run("debugfs", "-w", "-R", "set_super_value state 2", str(raw))
    run("debugfs", "-w", "-R", "clri <2>", str(raw))
    with pytest.raises(StorageError, match="e2fsck"):
        vault.unlock(home, key)
    assert raw.exists()
    assert not tree.exists()
    assert mounts.loops_of(raw) == []


def test_a_frozen_home_takes_no_write_until_it_thaws(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    with vault.frozen(home.name) as frozen:
        assert frozen
        writer = subprocess.Popen(["touch", str(tree / "late")])
        eventually(lambda: Path(f"/proc/{writer.pid}/stat").read_text().split()[2] == "D")
        vault.unlock(home, key)  # what is usable stays so
    assert writer.wait(timeout=10) == 0
    assert (tree / "late").exists()


def test_a_home_left_frozen_is_thawed_when_a_server_starts(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, make_vault: MakeVault
) -> None:
    vault.unlock(home, key)
    run("fsfreeze", "--freeze", str(tree.parent))
    make_vault().reconcile()
    (tree / "file").write_text("thawed")


def test_the_end_of_the_holder_thaws(
    vault: VaultStorage, home: Home, key: bytes, tree: Path
) -> None:
    vault.unlock(home, key)
    read, write = os.pipe()
    root = os.open(tree.parent, os.O_RDONLY)
    child = subprocess.Popen(
        ["python3", "-I", "-S", "-c", freezing._CHILD, str(root)],
        stdin=read,
        stdout=subprocess.PIPE,
        pass_fds=(root,),
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.read(6) == b"frozen"
    for descriptor in (read, write, root):
        os.close(descriptor)
    assert child.wait(timeout=10) == 0
    (tree / "file").write_text("thawed")


def test_an_atomic_copy_of_a_hot_image_opens_with_every_synced_file(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path, make_vault: MakeVault,
    tmp_path: Path, mount_root: Path,
) -> None:  # fmt: skip
    vault.unlock(home, key)
    for number in range(100):
        synced(tree / f"file{number}", b"%d" % number * 500)
    copy = tmp_path / "copy"
    copy.mkdir()
    with vault.frozen(home.name):
        run("cp", "--sparse=always", str(raw), str(copy / raw.name))
    vault.lock(home.name)
    other = make_vault(copy)
    other.unlock(home, key)
    for number in range(100):
        assert (tree / f"file{number}").read_bytes() == b"%d" % number * 500
    other.lock(home.name)


def test_synced_files_survive_a_power_cut(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path
) -> None:
    vault.unlock(home, key)
    for number in range(100):
        synced(tree / f"file{number}", b"%d" % number * 500)
    (tree / "unsynced").write_text("may be lost")
    root = os.open(tree.parent, os.O_RDONLY)
    try:
        fcntl.ioctl(root, _SHUT_DOWN, _WITHOUT_FLUSHING.to_bytes(4, "little"))
    finally:
        os.close(root)
    vault.lock(home.name)
    assert not ext4.superblock(raw).clean, "the journal is what holds the files"
    vault.unlock(home, key)
    for number in range(100):
        assert (tree / f"file{number}").read_bytes() == b"%d" % number * 500


def test_what_a_killed_server_left_is_taken_away(
    vault: VaultStorage, home: Home, key: bytes, tree: Path, raw: Path, make_vault: MakeVault
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    other = replace(home, name=f"{home.name}b")
    vault.unlock(other, key)
    with holding(raw.parent / "locks", home.name) as hold:
        mounts.mount(mounts.attach(raw, hold=hold), tree.parent, hold=hold)  # without its key
    (raw.parent / f"{home.name}.img.making").write_bytes(b"half")
    (raw.parent / f"{home.name}.staged.img").write_bytes(b"half")
    assert vault.unlocked() == {other.name}
    make_vault().reconcile()
    assert vault.unlocked() == {other.name}, "what was usable is not taken away"
    assert mounts.loops_of(raw) == []
    assert not tree.parent.exists()
    assert {file.name for file in raw.parent.glob("*.img*")} == {raw.name, f"{other.name}.img"}
    vault.unlock(home, key)


def test_another_servers_home_is_left_alone_while_it_works_on_it(
    vault: VaultStorage, home: Home, key: bytes, raw: Path, make_vault: MakeVault
) -> None:
    vault.unlock(home, key)
    (raw.parent / f"{home.name}.img.making").write_bytes(b"half")
    with holding(raw.parent / "locks", home.name):
        make_vault().reconcile()
    assert (raw.parent / f"{home.name}.img.making").exists()


def test_a_tool_that_outlives_its_server_keeps_the_home_to_itself(tmp_path: Path) -> None:
    with holding(tmp_path, "home_a") as hold:
        tool = subprocess.Popen(["sleep", "1000"], pass_fds=(hold,))
    with pytest.raises(Busy), holding(tmp_path, "home_a", patience=0.0):
        pass
    tool.kill()
    tool.wait()
    with holding(tmp_path, "home_a", patience=0.0):
        pass


def test_a_home_of_volumes_is_taken_over_with_all_that_is_in_it(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    tree: Path,
    image: str,
    run_id: str,
    docker_client: APIClient,
) -> None:
    plain = PlainStorage(DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}")
    plain.unlock(home, key)
    old = Path(docker_client.inspect_volume(home.name)["Mountpoint"])
    (old / "secret").mkdir(mode=0o000)
    (old / "file").write_text("kept")
    os.link(old / "file", old / "hard")
    (old / "link").symlink_to("/etc/passwd")
    for path in old.iterdir():
        os.lchown(path, *OWNER)
    (old / "file").chmod(0o4755)
    plain.close()
    vault.unlock(home, key)
    assert not (old / "file").exists()
    assert (tree / "file").read_text() == "kept"
    assert (tree / "file").stat().st_mode & 0o7777 == 0o4755
    assert (tree / "file").stat().st_ino == (tree / "hard").stat().st_ino
    assert os.readlink(tree / "link") == "/etc/passwd"
    assert (tree / "secret").stat().st_mode & 0o777 == 0
    assert {path.lstat().st_uid for path in tree.iterdir()} == {OWNER[0]}
    assert docker_client.inspect_volume(home.name)["Options"]["device"] == str(tree)


def test_a_home_of_volumes_that_does_not_fit_stays_where_it_is(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    raw: Path,
    image: str,
    run_id: str,
    docker_client: APIClient,
) -> None:
    plain = PlainStorage(DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}")
    plain.unlock(home, key)
    plain.close()
    old = Path(docker_client.inspect_volume(home.name)["Mountpoint"])
    (old / "big").write_bytes(os.urandom(70 * MIB))
    with pytest.raises(AllowanceReached, match="73"):
        vault.unlock(home, key)
    assert (old / "big").stat().st_size == 70 * MIB
    assert not raw.exists()
    assert vault.unlocked() == frozenset()
    vault.unlock(replace(home, capacity_bytes=128 * MIB), key)
    assert not (old / "big").exists()


@pytest.mark.parametrize("step", ["copy", "release"])
def test_taking_over_goes_on_after_a_kill(
    vault: VaultStorage,
    home: Home,
    key: bytes,
    tree: Path,
    image: str,
    run_id: str,
    step: str,
    make_vault: MakeVault,
    docker_client: APIClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = PlainStorage(DOCKER_URL, helper_image=image, instance=f"{PREFIX}{run_id}")
    plain.unlock(home, key)
    plain.close()
    old = Path(docker_client.inspect_volume(home.name)["Mountpoint"])
    (old / "file").write_text("kept")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(vault.volumes, step, kill)
    with pytest.raises(KeyboardInterrupt):
        vault.unlock(home, key)
    assert (old / "file").read_text() == "kept"
    later = make_vault()
    later.reconcile()
    later.unlock(home, key)
    assert (tree / "file").read_text() == "kept"
    assert docker_client.inspect_volume(home.name)["Options"]["device"] == str(tree)


def test_a_volume_that_was_not_taken_over_is_never_deleted(
    vault: VaultStorage, home: Home, key: bytes, docker_client: APIClient, run_id: str
) -> None:
    vault.unlock(home, key)
    vault.lock(home.name)
    docker_client.remove_volume(home.name)
    docker_client.create_volume(home.name, labels={"rootblood.instance": f"{PREFIX}{run_id}"})
    with pytest.raises(StorageError, match="two homes"):
        vault.unlock(home, key)
    docker_client.inspect_volume(home.name)
    docker_client.remove_volume(home.name)
    vault.unlock(home, key)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_of_the_host_is_told_and_costs_no_synced_file(
    small_disk: Path, make_vault: MakeVault, home: Home, key: bytes, tree: Path
) -> None:
    def resize(size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", small_disk], check=True)

    vault = make_vault(small_disk / "homes")
    (small_disk / "filler").write_bytes(bytes(MIB - 64 * 1024))
    with pytest.raises(NoSpace):
        vault.unlock(home, key)
    assert list((small_disk / "homes").glob("*.img*")) == []
    resize("20m")
    vault.unlock(home, key)
    synced(tree / "kept", b"kept" * 1000)
    with pytest.raises(OSError, match=r"error|space|Read-only"), (tree / "more").open("wb") as file:
        for _ in range(40):
            file.write(os.urandom(MIB))
            file.flush()
            os.fsync(file.fileno())
    resize("200m")
    with suppress(OSError):  # it is by a write that the kernel finds out
        synced(tree / "probe", b"")
    vault.unlock(home, key)
    assert (tree / "kept").read_bytes() == b"kept" * 1000
    synced(tree / "more", b"it takes writes again")


def test_homes_that_come_and_go_at_once_never_take_each_others_devices(
    make_vault: MakeVault, key: bytes, mount_root: Path
) -> None:
    vaults = [make_vault() for _ in range(6)]

    def live(number: int) -> None:
        one = Home(f"home_busy{number}", OWNER, 64 * MIB)
        for _ in range(4):
            vaults[number].unlock(one, key)
            (mount_root / one.name / "home" / "mine").write_text(one.name)
            vaults[number].lock(one.name)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(live, range(6)))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_hundred_homes_are_unlocked_at_once(
    vault: VaultStorage, key: bytes, mount_root: Path
) -> None:
    homes = [Home(f"home_many{number}", OWNER, 64 * MIB) for number in range(200)]
    for one in homes:
        vault.unlock(one, key)
    assert vault.unlocked() == {one.name for one in homes}
    for one in homes:
        (mount_root / one.name / "home" / "mine").write_text(one.name)
        vault.brake(one.name, False)
    for one in homes:
        assert (mount_root / one.name / "home" / "mine").read_text() == one.name
        vault.lock(one.name)
    assert vault.unlocked() == frozenset()
