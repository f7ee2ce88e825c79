import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.rows import id_width, pack_rows, pack_segment, row_capacity, row_reader, unpack_row, unpack_segment
from topshelf.errors import StoreError


@pytest.mark.parametrize(
    ("n_items", "width"), [(1, 2), (65_536, 2), (65_537, 3), (2**24, 3), (2**24 + 1, 4), (2**31, 4)]
)
def test_indices_take_as_few_bytes_as_the_catalogue_allows(n_items: int, width: int) -> None:
    assert id_width(n_items) == width


def test_a_catalogue_beyond_31_bits_is_refused() -> None:
    with pytest.raises(StoreError, match="more than a row can name"):
        id_width(2**31 + 1)


@pytest.mark.parametrize(("width", "capacity"), [(2, 32), (3, 21), (4, 16)])
def test_whole_indices_fit_into_64_bytes(width: int, capacity: int) -> None:
    assert row_capacity(width) == capacity


@given(st.sampled_from([2, 3, 4]), st.data())
def test_unpacking_gives_back_what_was_packed(width: int, data: st.DataObject) -> None:
    largest = min(256**width, 2**31) - 1
    row = st.lists(st.integers(0, largest), max_size=25)
    rows = data.draw(st.lists(row, max_size=5))
    k = max(map(len, rows), default=0)
    items = np.full((len(rows), k), -1, dtype=np.int32)
    for position, found in enumerate(rows):
        items[position, : len(found)] = found
    packed = pack_rows(items, width)
    assert [len(row) for row in packed] == [len(row) * width for row in rows]
    assert [unpack_row(row, width).tolist() for row in packed] == rows


def test_bytes_are_little_endian() -> None:
    assert pack_rows(np.array([[1, 258, -1]], dtype=np.int32), 2) == [b"\x01\x00\x02\x01"]
    assert pack_rows(np.array([[65_537]], dtype=np.int32), 3) == [b"\x01\x00\x01"]


def test_unpacked_rows_are_int32() -> None:
    assert [unpack_row(bytes(12), width).dtype for width in (2, 3, 4)] == [np.int32] * 3


def test_nobody_and_nothing_pack_to_nothing() -> None:
    assert pack_rows(np.empty((0, 5), dtype=np.int32), 2) == []
    assert pack_rows(np.empty((2, 0), dtype=np.int32), 2) == [b"", b""]
    assert unpack_row(b"", 3).tolist() == []


def test_an_index_too_large_for_the_width_is_refused() -> None:
    with pytest.raises(StoreError, match="65536 does not fit into 2 bytes"):
        pack_rows(np.array([[65_536]], dtype=np.int32), 2)


def test_padding_before_an_item_is_refused() -> None:
    with pytest.raises(StoreError, match="padding"):
        pack_rows(np.array([[1, -1, 2]], dtype=np.int32), 2)


@pytest.mark.parametrize("number", [0, 1, 300, 65_535])
def test_segment_numbers_take_two_bytes(number: int) -> None:
    assert len(pack_segment(number)) == 2
    assert unpack_segment(pack_segment(number)) == number


@pytest.mark.parametrize(("width", "n_items"), [(2, 2**16), (3, 2**24), (4, 2**31 - 1)])
@pytest.mark.parametrize("k", [1, 10, 20])
def test_the_first_items_of_a_row_are_read_as_the_whole_row_is(width: int, n_items: int, k: int) -> None:
    items = np.random.default_rng(k).integers(0, n_items, (50, 20)).astype(np.int32)
    read = row_reader(width, k)
    for row in pack_rows(items, width):
        assert list(read(row)) == unpack_row(row, width)[:k].tolist()


def test_a_row_too_short_has_no_first_items() -> None:
    for width in (2, 3, 4):
        assert list(row_reader(width, 10)(b"\0" * (10 * width - 1))) == []
