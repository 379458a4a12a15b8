"""The operator's copies, from the key pair to the code that a person gets."""

import os
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import flask_migrate
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from sqlalchemy import select

from models import Event, KeySlot, Slot, User, db, utcnow
from orchestrator import accounts, escrow, keys, recovery
from orchestrator.accounts import Entrant
from orchestrator.errors import BadInput, NotFound
from orchestrator.settings import Settings
from orchestrator.storage import keys as copies
from tests.app_fixtures import PASSWORD, account, close, make_platform, on_both_databases
from web import create_app

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "a passphrase of the operator"


@pytest.fixture(scope="module")
def operator() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@pytest.fixture(scope="module")
def successor() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def publish(settings: Settings, private: RSAPrivateKey) -> None:
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (settings.data_dir / escrow.FILE_NAME).write_bytes(public)


@pytest.fixture
def on(context: None, settings: Settings, operator: RSAPrivateKey, tmp_path: Path) -> Settings:
    """Settings with escrow, on the test's database."""
    with_escrow = replace(settings, escrow=True, data_dir=tmp_path, database_url=settings.database)
    publish(with_escrow, operator)
    return with_escrow


def enter(settings: Settings, name: str = "ann") -> Entrant:
    return accounts.authenticate(settings, utcnow(), name, PASSWORD)


def copy_of(user: User) -> bytes | None:
    db.session.rollback()
    query = select(KeySlot.wrapped).where(KeySlot.user_id == user.id, KeySlot.kind == Slot.ESCROW)
    return db.session.scalars(query).one_or_none()


def opened(user: User, private: RSAPrivateKey) -> bytes | None:
    return copies.open_as_operator(copy_of(user), private, keys.binding(user.userhash, Slot.ESCROW))


@on_both_databases
def test_a_new_account_has_a_copy_for_the_operator(on: Settings, operator: RSAPrivateKey) -> None:
    ann = account(on, "ann")
    assert opened(ann, operator) == enter(on).key


@on_both_databases
def test_an_account_from_before_gets_its_copy_at_the_next_sign_in(
    settings: Settings, on: Settings, operator: RSAPrivateKey
) -> None:
    ann = account(settings, "ann")
    assert copy_of(ann) is None
    key = enter(on).key
    assert opened(ann, operator) == key
    before = copy_of(ann)
    enter(on)
    assert copy_of(ann) == before, "nothing is written at every sign-in"


@on_both_databases
def test_switched_off_the_copy_goes_at_the_next_sign_in(settings: Settings, on: Settings) -> None:
    ann = account(on, "ann")
    assert copy_of(ann) is not None
    enter(settings)
    assert copy_of(ann) is None


@on_both_databases
def test_a_new_operator_gets_a_copy_and_the_last_one_loses_it(
    on: Settings, operator: RSAPrivateKey, successor: RSAPrivateKey
) -> None:
    ann = account(on, "ann")
    publish(on, successor)
    key = enter(on).key
    assert opened(ann, successor) == key
    assert opened(ann, operator) is None


@on_both_databases
def test_the_operator_gives_a_code_beside_which_the_persons_own_stays_good(
    on: Settings, operator: RSAPrivateKey
) -> None:
    ann = accounts.register(on, utcnow(), "ann", PASSWORD, invite="", address="", recovery=True)
    code = recovery.code_from_escrow("ann", operator, utcnow())
    event = db.session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one()
    assert (event.actor, event.action, event.target) == ("operator", "account.escrow-opened", "ann")
    for good in (ann.recovery_code, code):
        with pytest.raises(BadInput):  # only tried
            recovery.recover(on, utcnow(), "ann", good, "short", address="")
    entrant = recovery.recover(on, utcnow(), "ann", code, "another password", address="")
    assert entrant.key == ann.key
    for used in (code, ann.recovery_code):
        with pytest.raises(Exception, match="Wrong username or recovery code"):
            recovery.recover(on, utcnow(), "ann", used, "another password", address="")


def test_without_a_copy_or_with_another_key_there_is_no_code(
    settings: Settings, on: Settings, operator: RSAPrivateKey, successor: RSAPrivateKey
) -> None:
    account(on, "ann")
    account(settings, "bob")
    with pytest.raises(BadInput):
        recovery.code_from_escrow("ann", successor, utcnow())
    for nobody in ("bob", "carl", "a\0b"):
        with pytest.raises(NotFound):
            recovery.code_from_escrow(nobody, operator, utcnow())


def weak(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.parametrize(
    "spoil", [Path.unlink, weak, lambda path: path.write_text("no key"),
              lambda path: (path.unlink(), path.mkdir())],
    ids=["missing", "weak", "rubbish", "folder"],
)  # fmt: skip
def test_the_server_does_not_start_without_a_usable_key(
    on: Settings, spoil: Callable[[Path], object]
) -> None:
    escrow.check(on)
    spoil(on.data_dir / escrow.FILE_NAME)
    with pytest.raises(BadInput, match=r"escrow\.pem cannot be used.*script/escrow new") as caught:
        escrow.check(on)
    assert caught.value.field == "ROOTBLOOD_ESCROW"
    escrow.check(replace(on, escrow=False))


def test_a_key_that_is_lost_while_the_server_runs_shuts_nobody_out(on: Settings) -> None:
    ann = account(on, "ann")
    before = copy_of(ann)
    (on.data_dir / escrow.FILE_NAME).unlink()
    assert enter(on).key is not None
    assert copy_of(ann) == before, "an accident takes no copy away"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_pair_is_kept_apart_and_closed(data_dir: Path, tmp_path: Path) -> None:
    settings, private = Settings(data_dir=data_dir), tmp_path / "operator.pem"
    public = escrow.new_pair(settings, private, PASSPHRASE)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in private.read_bytes()
    assert b"PRIVATE" not in public.read_bytes()
    found = copies.load_private(private.read_bytes(), PASSPHRASE)
    assert found.public_key() == copies.load_public(public.read_bytes())
    assert found.key_size == 4096


def test_a_pair_overwrites_nothing_and_never_lies_with_the_data(
    data_dir: Path, tmp_path: Path
) -> None:
    settings, private = Settings(data_dir=data_dir), tmp_path / "operator.pem"
    (tmp_path / "link").symlink_to(data_dir)
    for inside in (data_dir / "x.pem", tmp_path / "link" / "x.pem", data_dir / "a" / ".." / "x"):
        with pytest.raises(BadInput, match="data directory"):
            escrow.new_pair(settings, inside, PASSPHRASE)
    with pytest.raises(BadInput, match="passphrase"):
        escrow.new_pair(settings, private, "short")
    private.write_text("mine")
    with pytest.raises(BadInput, match="is there already"):
        escrow.new_pair(settings, private, PASSPHRASE)
    assert private.read_text() == "mine"
    with pytest.raises(BadInput, match="cannot be written"):
        escrow.new_pair(settings, tmp_path / "none" / "x.pem", PASSPHRASE)
    assert list(data_dir.iterdir()) == []


def script(cwd: Path, data_dir: Path, *arguments: str, typed: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [ROOT / "script" / "escrow", *arguments], cwd=cwd, input=typed, text=True,
        capture_output=True, check=False,
        env={"PATH": os.environ["PATH"], "ROOTBLOOD_DATA_DIR": str(data_dir)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_from_the_key_pair_to_the_persons_new_password(data_dir: Path, tmp_path: Path) -> None:
    code, _, wrong = script(tmp_path, data_dir, "new", "mine.pem", typed="short\n")
    assert (code, "passphrase of at least" in wrong) == (1, True)
    code, said, wrong = script(tmp_path, data_dir, "new", "mine.pem", typed=f"{PASSPHRASE}\n")
    assert (code, wrong) == (0, "")
    assert "ROOTBLOOD_ESCROW=on" in said
    settings = Settings(data_dir=data_dir, escrow=True, reserve_bytes=0)
    app = create_app(make_platform(settings, "escrow"))
    try:
        _have_lost_the_password(app, settings)
        code, said, wrong = script(
            tmp_path, data_dir, "open", "ann", "mine.pem", typed=f"{PASSPHRASE}\n"
        )
        assert code == 0, wrong
        assert PASSPHRASE not in said + wrong
        with app.app_context():
            given = said.splitlines()[-1]
            recovery.recover(settings, utcnow(), "ann", given, "another password", address="")
            assert accounts.authenticate(settings, utcnow(), "ann", "another password").key
    finally:
        close(app)
    for arguments, typed in ((("open", "ann", "mine.pem"), "wrong"), (("open", "bob", "mine.pem"),
                             PASSPHRASE), (("open", "ann", "none.pem"), PASSPHRASE)):  # fmt: skip
        code, said, wrong = script(tmp_path, data_dir, *arguments, typed=f"{typed}\n")
        assert (code, said) == (1, ""), arguments
        assert "Traceback" not in wrong


def _have_lost_the_password(app: Flask, settings: Settings) -> None:
    with app.app_context():
        flask_migrate.upgrade()
        account(settings, "ann")
