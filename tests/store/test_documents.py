import numpy as np
import pytest

from store import documents
from topshelf.errors import StoreError


def test_what_was_dumped_loads_again() -> None:
    value = {"größe": [1, 2.5, None, True], "戏剧": {"year": 1995}}
    assert documents.load(documents.dump(value)) == value


def test_numpy_numbers_are_numbers_and_nan_is_null() -> None:
    assert documents.load(documents.dump({"ndcg": np.float32(0.5), "n": np.int64(3)})) == {
        "ndcg": 0.5,
        "n": 3,
    }
    assert documents.load(documents.dump(float("nan"))) is None


@pytest.mark.parametrize("value", [2**70, {1, 2}, object(), "\ud800"])
def test_what_json_cannot_hold_is_an_error(value: object) -> None:
    with pytest.raises(StoreError, match="cannot be stored"):
        documents.dump(value)


def test_a_text_that_is_not_json_is_an_error() -> None:
    with pytest.raises(StoreError, match="not the JSON"):
        documents.load(b"{")
