import numpy as np
import pytest

from store.packing import pack_rows, pack_segments
from store.rows import RowShape, id_width, row_reader, unpack_row, unpack_segment
from topshelf.errors import StoreError


@pytest.mark.parametrize(
    ("n_items", "width"), [(1, 2), (65_536, 2), (65_537, 3), (2**24, 3), (2**24 + 1, 4), (2**31, 4)]
)
def test_indices_take_as_few_bytes_as_the_catalogue_allows(n_items: int, width: int) -> None:
    assert id_width(n_items) == width


def test_a_catalogue_beyond_31_bits_is_refused() -> None:
    with pytest.raises(StoreError, match="more than a row can name"):
        id_width(2**31 + 1)


@pytest.mark.parametrize("number", [0, 1, 300, 65_535])
def test_segment_numbers_take_two_bytes(number: int) -> None:
    [row] = pack_segments(np.array([number], dtype=np.uint16)).tolist()
    assert len(row) == 2
    assert unpack_segment(row) == number


@pytest.mark.parametrize(
    ("n_items", "k", "scores", "head", "tail"),
    [
        (15_706, 10, False, 20, 0),
        (2**16, 32, False, 64, 0),
        (2**20, 30, False, 64, 26),
        (15_706, 10, True, 20, 20),
        (2**20, 30, True, 64, 86),
    ],
)
def test_a_row_is_cut_at_64_bytes_and_its_scores_come_behind(
    n_items: int, k: int, scores: bool, head: int, tail: int
) -> None:
    shape = RowShape.of("users", n_items, k, scores=scores)
    assert (shape.head_bytes, shape.tail_bytes, shape.score_width) == (head, tail, 2 if scores else 0)


def test_the_row_of_somebody_in_a_segment_is_its_number() -> None:
    assert RowShape.of("segments", 2**20, 50, scores=True) == RowShape(3, 2, 0)


@pytest.mark.parametrize(("width", "n_items"), [(2, 2**16), (3, 2**24), (4, 2**31 - 1)])
@pytest.mark.parametrize("k", [1, 10, 20])
def test_the_first_items_of_a_row_are_read_as_the_whole_row_is(width: int, n_items: int, k: int) -> None:
    items = np.random.default_rng(k).integers(0, n_items, (50, 20)).astype(np.int32)
    read = row_reader(width, k)
    for row in pack_rows(items, width).tolist():
        assert list(read(row)) == unpack_row(row, width)[:k]


def test_a_row_too_short_has_no_first_items() -> None:
    for width in (2, 3, 4):
        assert list(row_reader(width, 10)(b"\0" * (10 * width - 1))) == []
