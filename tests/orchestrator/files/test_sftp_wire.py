import stat
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.files import Type
from orchestrator.files.sftp_wire import Attributes, Lost, Reader, mode, string

ALL = struct.Struct(">IQIIIII")


@given(st.binary(max_size=100))
def test_what_is_read_is_what_was_written(raw: bytes) -> None:
    fields = Reader(string(raw) + string(raw.decode(errors="surrogateescape")) + mode(0o640))
    assert fields.raw() == raw
    assert fields.text().encode(errors="surrogateescape") == raw
    assert fields.attributes() == Attributes(mode=0o640)
    assert fields.done


@given(st.binary(max_size=200))
def test_no_packet_makes_a_reader_do_anything_else_than_refuse_it(raw: bytes) -> None:
    for take in (Reader.raw, Reader.attributes, Reader.text, Reader.number, Reader.long):
        with suppress(Lost):
            take(Reader(raw))


def test_attributes_are_read_in_every_form() -> None:
    usual = ALL.pack(0xF, 5, 1, 2, stat.S_IFREG | 0o644, 10, 11)
    assert Reader(usual).attributes() == Attributes(5, stat.S_IFREG | 0o644, 11)
    extended = struct.pack(">IQI", 0x80000001, 7, 1) + string("a@b") + string("c") + b"rest"
    fields = Reader(extended)
    assert fields.attributes() == Attributes(size=7)
    assert not fields.done


@pytest.mark.parametrize(
    ("bits", "type"),
    [
        (stat.S_IFREG, Type.FILE),
        (stat.S_IFDIR, Type.FOLDER),
        (stat.S_IFLNK, Type.LINK),
        (stat.S_IFIFO, Type.OTHER),
        (stat.S_IFCHR, Type.OTHER),
        (stat.S_IFSOCK, Type.OTHER),
        (0, Type.OTHER),
    ],
)
def test_types_are_told_apart(bits: int, type: Type) -> None:
    entry = Attributes(mode=bits | 0o4751).entry("name")
    assert (entry.type, entry.mode) == (type, 0o4751)
