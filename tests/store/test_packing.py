import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.buckets import bucket_of
from store.packing import buckets_of, pack_rows
from store.rows import unpack_row
from topshelf.errors import StoreError


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
    assert [unpack_row(row, width) for row in packed] == rows


def test_bytes_are_little_endian() -> None:
    assert pack_rows(np.array([[1, 258, -1]], dtype=np.int32), 2) == [b"\x01\x00\x02\x01"]
    assert pack_rows(np.array([[65_537]], dtype=np.int32), 3) == [b"\x01\x00\x01"]


def test_nobody_and_nothing_pack_to_nothing() -> None:
    assert pack_rows(np.empty((0, 5), dtype=np.int32), 2) == []
    assert pack_rows(np.empty((2, 0), dtype=np.int32), 2) == [b"", b""]
    assert unpack_row(b"", 3) == []


def test_an_index_too_large_for_the_width_is_refused() -> None:
    with pytest.raises(StoreError, match="65536 does not fit into 2 bytes"):
        pack_rows(np.array([[65_536]], dtype=np.int32), 2)


def test_padding_before_an_item_is_refused() -> None:
    with pytest.raises(StoreError, match="padding"):
        pack_rows(np.array([[1, -1, 2]], dtype=np.int32), 2)


def test_many_users_are_in_the_same_buckets_as_one_by_one() -> None:
    users = [str(number).encode() for number in range(1_000)]
    assert buckets_of(users, 13).tolist() == [bucket_of(user, 13) for user in users]
    assert buckets_of(users, 13).dtype == np.int64
    assert buckets_of([], 13).tolist() == []
