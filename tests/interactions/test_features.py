from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from interactions.features import MAX_VALUES, FeatureMatrix, encode_features
from interactions.training_set import TrainingSet
from topshelf.errors import DataError


def encoded(**columns: Sequence[object]) -> dict[str, list[float]]:
    table = pl.DataFrame(columns)
    features = encode_features(table, table.height)
    assert features.matrix.dtype == np.float32
    return dict(zip(features.names, features.matrix.toarray().T.tolist(), strict=True))


def test_text_becomes_a_feature_per_value() -> None:
    assert encoded(city=["Псков", "Тверь", "Псков", None, "Тверь"]) == {
        "city=Псков": [1, 0, 1, 0, 0],
        "city=Тверь": [0, 1, 0, 0, 1],
    }


def test_a_value_of_one_row_alone_is_no_feature() -> None:
    assert encoded(name=["a", "b", "c"]) == {}


def test_lists_give_a_feature_per_value_they_hold() -> None:
    assert encoded(tags=[["x", "y", "x"], ["y"], [], None, ["x"]]) == {
        "tags=x": [1, 0, 0, 0, 1],
        "tags=y": [1, 1, 0, 0, 0],
    }


def test_few_numbers_and_truths_are_taken_one_by_one() -> None:
    assert encoded(kids=[0, 1, 1, 0]) == {"kids=0": [1, 0, 0, 1], "kids=1": [0, 1, 1, 0]}
    assert set(encoded(subscribed=[True, False, True, False])) == {"subscribed=true", "subscribed=false"}


def test_many_numbers_fall_into_tenths() -> None:
    found = encoded(age=[float(number) for number in range(100)] + [None, float("nan")])
    assert len(found) == 10
    assert [sum(rows) for rows in found.values()] == [10] * 10
    assert np.sum(list(found.values()), axis=0).tolist() == [1] * 100 + [0, 0]


def test_many_equal_numbers_share_a_tenth() -> None:
    found = encoded(spent=[0] * 90 + list(range(1, 31)))
    first = next(iter(found.values()))
    assert first[:90] == [1] * 90
    assert len(found) < 10
    assert np.sum(list(found.values()), axis=0).tolist() == [1] * 120


def test_of_very_many_values_the_most_frequent_are_kept() -> None:
    values = [f"v{number}" for number in range(MAX_VALUES + 50) for _ in range(2)] + ["often"] * 3
    found = encoded(word=values)
    assert len(found) == MAX_VALUES
    assert "word=often" in found


def test_no_table_and_no_known_value_are_no_features() -> None:
    assert encode_features(None, 3).matrix.shape == (3, 0)
    assert encoded(gone=[None, None]) == {}


def test_columns_say_which_features_belong_together() -> None:
    features = encode_features(pl.DataFrame({"a": ["x", "x", "y", "y"], "b": [1, 1, 2, 2]}), 4)
    assert features.columns() == {"a": [0, 1], "b": [2, 3]}
    joined = features.joined(features)
    assert joined.matrix.shape == (4, 8)
    assert joined.columns()["a"] == [0, 1, 4, 5]


def test_features_that_fit_nothing_are_refused() -> None:
    ones = csr_matrix(np.ones((3, 1), np.float32))
    with pytest.raises(DataError, match="1 features have 0 names"):
        FeatureMatrix(ones)
    matrix = csr_matrix(np.ones((2, 4), np.float32))
    bare = TrainingSet.of(matrix)
    assert (len(bare.user_features), len(bare.item_features)) == (2, 4)
    with pytest.raises(DataError, match="user_features has 3 rows, not 2"):
        TrainingSet(matrix, bare.categories, (), FeatureMatrix(ones, ("x",)))
