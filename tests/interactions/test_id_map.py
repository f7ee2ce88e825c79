import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactions import id_map
from interactions.id_map import IdMap
from topshelf.errors import InvalidId

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(INT64, min_size=1, unique=True))
def test_every_int_id_finds_its_own_index(ids: list[int]) -> None:
    id_map = IdMap("int64", np.array(ids))
    assert [id_map.index_of(one) for one in ids] == list(range(len(ids)))
    assert id_map.indices_of(ids).tolist() == list(range(len(ids)))
    assert id_map.ids_of(range(len(ids))) == ids


@given(st.lists(TEXT, min_size=1, unique=True))
def test_every_string_id_finds_its_own_index(ids: list[str]) -> None:
    id_map = IdMap("string", np.array(ids, dtype=object))
    assert [id_map.index_of(one) for one in ids] == list(range(len(ids)))
    assert id_map.indices_of(ids).tolist() == list(range(len(ids)))
    assert id_map.ids_of(range(len(ids))) == ids


def test_unknown_ids_have_no_index() -> None:
    id_map = IdMap.of([30, 10, 20])
    assert id_map.index_of(15) is None
    assert id_map.index_of(99) is None
    assert id_map.index_of(2**70) is None
    assert id_map.indices_of([10, 15, 30, 99]).tolist() == [0, -1, 2, -1]


def test_unknown_strings_have_no_index() -> None:
    assert IdMap.of(["b", "a"]).indices_of(["a", "z", "b"]).tolist() == [0, -1, 1]


def test_an_id_of_the_other_type_has_no_index() -> None:
    assert IdMap.of([1, 2]).index_of("1") is None
    assert IdMap.of(["1", "2"]).index_of(1) is None
    assert IdMap.of([0, 1]).index_of(True) is None


def test_many_ids_of_the_other_type_are_refused() -> None:
    with pytest.raises(InvalidId, match="int64"):
        IdMap.of([1, 2]).indices_of(["1"])
    with pytest.raises(InvalidId, match="string"):
        IdMap.of(["1"]).indices_of([1])


def test_an_empty_map_knows_nobody() -> None:
    id_map = IdMap("string", np.array([], dtype=object))
    assert len(id_map) == 0
    assert id_map.index_of("a") is None
    assert id_map.indices_of(["a"]).tolist() == [-1]


def test_an_id_may_not_occur_twice() -> None:
    with pytest.raises(InvalidId, match="twice"):
        IdMap("int64", np.array([3, 1, 3]))


def test_a_map_of_one_kind_refuses_ids_of_the_other() -> None:
    with pytest.raises(InvalidId):
        IdMap("int64", np.array(["a"], dtype=object))
    with pytest.raises(InvalidId):
        IdMap("string", np.array([1, 2]))


def test_an_index_outside_the_map_is_refused() -> None:
    with pytest.raises(InvalidId, match="0 … 1"):
        IdMap.of([5, 6]).ids_of([2])


def test_keys_are_the_utf8_of_each_id() -> None:
    assert IdMap.of([7, 42]).keys_of([1, 0]) == [b"42", b"7"]
    assert IdMap.of(["ünï", "b"]).keys_of([0, 1]) == [b"b", "ünï".encode()]


@pytest.mark.parametrize("ids", [[-7, 0, 42, 2**63 - 1], ["ünï", "", "b", "🦊", "a\0b"]])
def test_the_keys_of_all_ids_lie_end_to_end(ids: list[int] | list[str]) -> None:
    known = IdMap.of(ids)
    data, offsets = known.key_bytes()
    cut = [data[start:end].tobytes() for start, end in itertools.pairwise(offsets)]
    assert cut == known.keys_of(range(len(ids)))
    assert (data.dtype.name, offsets.dtype.name) == ("uint8", "int64")


def test_the_keys_of_many_ids_are_written_out_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_map, "KEY_BLOCK", 7)
    data, offsets = IdMap.of(range(100)).key_bytes()
    assert data.tobytes() == b"".join(b"%d" % number for number in range(100))
    assert offsets.tolist() == [*range(11), *range(12, 192, 2)]


def test_nobody_has_no_keys() -> None:
    data, offsets = IdMap("int64", np.empty(0, np.int64)).key_bytes()
    assert (data.size, offsets.tolist()) == (0, [0])


def test_ids_cannot_be_changed_behind_the_map() -> None:
    with pytest.raises(ValueError, match="read-only"):
        IdMap.of([1, 2]).external[0] = 5


def test_series_and_arrays_are_taken_too() -> None:
    assert IdMap.of(["a", "b"]).indices_of(pl.Series(["b", "a"])).tolist() == [1, 0]
    assert IdMap.of([1, 2]).indices_of(np.array([2, 1], dtype=np.int32)).tolist() == [1, 0]
