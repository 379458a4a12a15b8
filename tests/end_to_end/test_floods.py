"""Programs that print without end: the server's memory stays flat, the others go on."""

import time

import pytest

from tests.end_to_end.person import Person
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.engine, pytest.mark.slow]

FLOOD_SECONDS = 30.0
GROWTH_BYTES = 24 << 20
LOUD_BYTES = 256 << 10
"""Less than one would think: tmux draws a flooded screen afresh ten times a second at most."""
UNREAD_BYTES = 4 << 20
"""What the kernel's buffers between a program and a reader that does not read may hold."""


def test_two_floods_one_of_them_unread(server: Server, person: Person) -> None:
    person.open()
    read, quiet = person.terminal(session="read"), person.terminal(session="quiet")
    unread = person.terminal(session="unread", buffer_bytes=4096)
    for terminal in (read, unread, quiet):
        assert terminal.run("true") == 0
    before, received = server.resident_bytes(), read.received_bytes
    unread.stop_reading()
    read.type("yes\r")
    unread.type("base64 -w 170 /dev/urandom\r")

    highest, echoes = before, 0
    end = time.monotonic() + FLOOD_SECONDS
    while time.monotonic() < end:
        assert quiet.value("$((40 + 2))") == "42"
        echoes += 1
        highest = max(highest, server.resident_bytes())
    assert echoes > 10
    assert read.received_bytes - received > LOUD_BYTES, "that was no flood"
    assert highest - before < GROWTH_BYTES

    late = unread.received_bytes
    for terminal in (read, unread):
        terminal.type("\x03")
    unread.resume_reading()
    for terminal in (read, unread):
        assert terminal.value("$((21 * 2))", seconds=60) == "42", "ctrl-C works"
    assert unread.received_bytes - late < UNREAD_BYTES
    assert server.resident_bytes() - before < GROWTH_BYTES


def test_large_paste_arrives_whole(person: Person) -> None:
    person.open()
    terminal = person.terminal()
    assert terminal.run("stty -echo") == 0
    lines = 4000
    terminal.type("cat > ~/pasted << 'END'\r")
    for start in range(0, lines, 500):
        block = "".join(f"line {number} of a long paste\r" for number in range(start, start + 500))
        terminal.type(block)
    terminal.type("END\r")
    assert terminal.value("$(wc -l < ~/pasted)", seconds=60) == str(lines)
    assert terminal.value("$(sort -u ~/pasted | wc -l)") == str(lines)
