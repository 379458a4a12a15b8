from datetime import timedelta

import pytest

from models import utcnow
from orchestrator.previews import Label, panels

SECRET = b"s" * 32
ANN = Label(5173, "main", "ann")
PANEL = "https://panel.example.org:8443"
NOW = utcnow()


def test_a_proof_shows_where_the_panel_is() -> None:
    proof = panels.prove(SECRET, ANN, PANEL, NOW)
    assert panels.proven(SECRET, ANN, proof, NOW + timedelta(seconds=59)) == PANEL


def test_a_proof_is_short_lived() -> None:
    proof = panels.prove(SECRET, ANN, PANEL, NOW)
    assert panels.proven(SECRET, ANN, proof, NOW + timedelta(seconds=61)) is None


def test_a_proof_is_of_one_preview_and_one_installation() -> None:
    proof = panels.prove(SECRET, ANN, PANEL, NOW)
    assert panels.proven(SECRET, Label(5174, "main", "ann"), proof, NOW) is None
    assert panels.proven(b"t" * 32, ANN, proof, NOW) is None


@pytest.mark.parametrize(
    "change",
    [lambda p: p.replace("panel", "phish"), lambda p: "9" + p, lambda p: "", lambda p: p + "/x",
     lambda p: p.rpartition(".")[0], lambda p: PANEL, lambda p: p.replace("https", "HTTPS")],
)  # fmt: skip
def test_what_was_changed_shows_nothing(change) -> None:
    proof = panels.prove(SECRET, ANN, PANEL, NOW)
    assert panels.proven(SECRET, ANN, change(proof), NOW) is None
