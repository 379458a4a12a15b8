import pytest

from orchestrator.language_server import Server, command
from orchestrator.languages import BUILT_IN


class Said:
    """A process that has said something, some bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self.pieces = [data[at : at + step] for at in range(0, len(data), step)]
        self.got = b""

    def read(self, nbytes: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def write(self, data: bytes) -> None:
        self.got += data


def told(data: bytes, step: int = 7) -> list[str]:
    return list(Server(Said(data, step)).told())


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_messages_come_without_their_heads(step: int) -> None:
    data = (
        "Content-Length: 3\r\n\r\n{ü".encode()
        + b"Content-Type: x\r\ncontent-length:0\r\n\r\n"
        + b"CONTENT-LENGTH: 9\r\nA: b\r\n\r\nin\r\n\r\ntwo"
    )
    assert told(data, step) == ["{ü", "", "in\r\n\r\ntwo"]


@pytest.mark.parametrize(
    "data",
    [b"", b"Content-Length: 3\r\n\r\nab", b"babble\r\n\r\n", b"Content-Length: x\r\n\r\n",
     b"Content-Length: 99999999\r\n\r\n", b"Content-Length: 9999999999\r\n\r\n", b"x" * 10_000,
     b"X-Content-Length: 1\r\n\r\na"],
)  # fmt: skip
def test_what_is_no_message_ends_it(data: bytes) -> None:
    assert told(data) == []


def test_a_message_gets_its_head() -> None:
    said = Said(b"", 1)
    assert not Server(said).tell("ü\r\n\r\n")
    assert said.got == "Content-Length: 6\r\n\r\nü\r\n\r\n".encode()


def test_it_has_half_of_the_workspace_at_most_a_gibibyte() -> None:
    def heap(memory_bytes: int) -> str:
        return command(BUILT_IN[0], "/", memory_bytes)[1]

    assert heap(1 << 30) == "NODE_OPTIONS=--max-old-space-size=384"
    assert heap(64 << 30) == "NODE_OPTIONS=--max-old-space-size=768"
