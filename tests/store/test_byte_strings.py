import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import byte_strings
from store.byte_strings import ByteStrings, copy_pieces

STRINGS = st.lists(st.binary(max_size=40), max_size=30)


@given(STRINGS)
def test_strings_come_back_as_they_were_given(strings: list[bytes]) -> None:
    found = ByteStrings.of(strings)
    assert found.tolist() == strings
    assert [found[place] for place in range(len(found))] == strings
    assert found.lengths.tolist() == [len(text) for text in strings]


@given(STRINGS, st.data())
def test_any_strings_can_be_taken_in_any_order(strings: list[bytes], data: st.DataObject) -> None:
    places = st.lists(st.integers(0, len(strings) - 1), max_size=20) if strings else st.just([])
    indices = data.draw(places)
    taken = ByteStrings.of(strings).take(np.array(indices, dtype=np.int64))
    assert taken.tolist() == [strings[index] for index in indices]


@given(STRINGS, st.integers(0, 30), st.integers(0, 30))
def test_a_part_is_a_slice(strings: list[bytes], first: int, last: int) -> None:
    first, last = sorted((min(first, len(strings)), min(last, len(strings))))
    part = ByteStrings.of(strings).part(first, last)
    assert part.tolist() == strings[first:last]
    assert part.offsets[0] == 0


def test_one_string_may_be_very_long() -> None:
    strings = [b"a", bytes(100_000), b"", b"bc"]
    assert ByteStrings.of(strings).take(np.array([3, 1, 0, 2])).tolist() == [b"bc", bytes(100_000), b"a", b""]


def test_checksums_are_those_of_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_strings, "BLOCK", 7)
    strings = [f"用户 {number}".encode() for number in range(50)]
    assert ByteStrings.of(strings).crc32().tolist() == [zlib.crc32(text) for text in strings]


def test_many_strings_are_taken_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_strings, "BLOCK", 7)
    strings = [b"x" * (number % 5) + b"%d" % number for number in range(50)]
    order = np.random.default_rng(0).permutation(50)
    assert ByteStrings.of(strings).take(order).tolist() == [strings[place] for place in order]


def test_lines_of_a_table_are_strings() -> None:
    table = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert ByteStrings.equally_long(table).tolist() == [b"\x00\x01\x02", b"\x03\x04\x05"]


def test_pieces_go_where_they_are_told() -> None:
    target = np.full(8, ord("."), np.uint8)
    source = np.frombuffer(b"abcdef", np.uint8)
    copy_pieces(target, np.array([6, 0]), source, np.array([4, 1]), np.array([2, 3]))
    assert target.tobytes() == b"bcd...ef"
