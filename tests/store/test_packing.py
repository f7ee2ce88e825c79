import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.packing import PackedRows, pack_rows, pack_scored_rows, pack_segments
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
    packed = pack_rows(items, width).tolist()
    assert [len(row) for row in packed] == [len(row) * width for row in rows]
    assert [unpack_row(row, width) for row in packed] == rows


def test_bytes_are_little_endian() -> None:
    assert pack_rows(np.array([[1, 258, -1]], dtype=np.int32), 2).tolist() == [b"\x01\x00\x02\x01"]
    assert pack_rows(np.array([[65_537]], dtype=np.int32), 3).tolist() == [b"\x01\x00\x01"]


def test_nobody_and_nothing_pack_to_nothing() -> None:
    assert pack_rows(np.empty((0, 5), dtype=np.int32), 2).tolist() == []
    assert pack_rows(np.empty((2, 0), dtype=np.int32), 2).tolist() == [b"", b""]
    assert unpack_row(b"", 3) == []


def test_an_index_too_large_for_the_width_is_refused() -> None:
    with pytest.raises(StoreError, match="65536 does not fit into 2 bytes"):
        pack_rows(np.array([[65_536]], dtype=np.int32), 2)


def test_padding_before_an_item_is_refused() -> None:
    with pytest.raises(StoreError, match="padding"):
        pack_rows(np.array([[1, -1, 2]], dtype=np.int32), 2)


@pytest.mark.parametrize(("width", "k"), [(2, 10), (2, 32), (2, 33), (3, 22), (4, 40)])
@pytest.mark.parametrize("scored", [False, True])
def test_rows_are_cut_at_64_bytes_wherever_that_is(width: int, k: int, scored: bool) -> None:
    items = np.arange(5 * k, dtype=np.int32).reshape(5, k)
    items[1, 3:], items[2], items[3, k - 1 :] = -1, -1, -1
    scores = np.where(items < 0, -np.inf, items / 4).astype(np.float32)
    packed = pack_scored_rows(items, scores, width) if scored else PackedRows.of(pack_rows(items, width))
    whole = [row.tobytes() for row in pack_each(items, width)]
    assert packed.heads.tolist() == [row[:64] for row in whole]
    tails = [row[64:] for row in whole]
    if scored:
        kept = [line[row >= 0].astype("<f2").tobytes() for row, line in zip(items, scores, strict=True)]
        tails = [tail + score for tail, score in zip(tails, kept, strict=True)]
    assert (packed.tails.tolist() if packed.tails else [b""] * 5) == tails


def pack_each(items: np.ndarray, width: int) -> list[np.ndarray]:
    return [row[row >= 0].astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width] for row in items]


def test_rows_that_fit_have_no_tails() -> None:
    assert PackedRows.of(pack_rows(np.zeros((3, 32), np.int32), 2)).tails is None


def test_scores_beyond_a_float16_are_kept_as_its_largest() -> None:
    packed = pack_scored_rows(np.array([[3, 1]], np.int32), np.array([[1e9, -1e9]]), 2)
    assert packed.tails is not None
    assert np.frombuffer(packed.tails[0], "<f2").tolist() == [65_504, -65_504]


def test_segment_numbers_are_rows_of_their_own() -> None:
    assert pack_segments(np.array([0, 300], np.uint16)).tolist() == [b"\x00\x00", b"\x2c\x01"]
