from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from interactions.dataset import Dataset
from interactions.datasets import Datasets
from interactions.splits import split_by_time, split_by_user_time, split_given
from topshelf.errors import DataError, EmptyData


@pytest.fixture
def timelines(datasets: Datasets) -> Dataset:
    """User n has n items, one a day, in the order of their ids; n is 1 … 12."""
    rows = [
        {"user_id": user, "item_id": item, "timestamp": datetime(2024, 1, 1) + timedelta(days=item)}
        for user in range(1, 13)
        for item in range(user)
    ]
    return datasets.create(pl.DataFrame(rows))


def test_the_end_of_each_time_line_is_held_out(timelines: Dataset) -> None:
    split = split_by_user_time(timelines, 0.2)
    held_out = np.diff(split.test.indptr)
    assert held_out.tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2]
    assert split.test[11].indices.tolist() == [10, 11]
    assert split.train.matrix[11].indices.tolist() == list(range(10))


def test_a_share_that_divides_evenly_is_not_lost_to_rounding(timelines: Dataset) -> None:
    held_out = np.diff(split_by_user_time(timelines, 0.3).test.indptr)
    assert held_out[9] == 3


def test_train_and_test_share_no_pair_and_lose_none(timelines: Dataset) -> None:
    split = split_by_user_time(timelines, 0.4)
    assert split.train.matrix.multiply(split.test).nnz == 0
    assert split.train.matrix.nnz + split.test.nnz == timelines.matrix().nnz
    assert set(split.test.data) == {1.0}
    assert split.train.category_names == timelines.manifest.category_names


def test_a_pair_taken_again_is_no_test(small: Dataset) -> None:
    split = split_by_user_time(small, 0.2)
    # User 20 took item c last, and before; user 10 took b last.
    assert split.test.toarray().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert split.train.matrix.toarray().tolist() == [[2, 0, 0], [0, 1, 4], [0, 0, 0]]


def test_a_pair_with_a_weight_of_nothing_is_no_test_either(datasets: Datasets) -> None:
    days = [datetime(2024, 1, day) for day in (1, 2, 3, 4)]
    rows = pl.DataFrame(
        {"user_id": [1, 1, 2, 2], "item_id": [5, 5, 5, 6], "weight": [0.0, 1, 1, 0], "timestamp": days}
    )
    split = split_by_user_time(datasets.create(rows))
    assert split.test.toarray().tolist() == [[0, 0], [0, 1]]


def test_the_order_within_an_instant_favours_no_item(datasets: Datasets) -> None:
    rows = pl.DataFrame(
        {
            "user_id": [user for user in range(300) for _ in range(2)],
            "item_id": [0, 1] * 300,
            "timestamp": [datetime(2024, 1, 1)] * 600,
        }
    )
    dataset = datasets.create(rows)
    first, again = (split_by_user_time(dataset).test for _ in range(2))
    assert (first.toarray() == again.toarray()).all()
    assert 90 < first[:, 0].sum() < 210


def test_a_cut_off_parts_before_from_after(timelines: Dataset) -> None:
    split = split_by_time(timelines, "2024-01-11T00:00:00Z")
    assert split.cut_off == "2024-01-11T00:00:00.000000Z"
    assert np.unique(split.test.indices).tolist() == [10, 11]
    assert split.train.matrix[:, 10:].nnz == 0


def test_a_cut_off_may_be_a_datetime_with_a_zone(timelines: Dataset) -> None:
    assert split_by_time(timelines, "2024-01-11T09:00:00+09:00").cut_off == "2024-01-11T00:00:00.000000Z"
    assert split_by_time(timelines, datetime(2024, 1, 11)).test.nnz == 3


@pytest.mark.parametrize("cut_off", ["1999-01-01", "2999-01-01"])
def test_a_cut_off_with_nothing_on_one_side_is_refused(timelines: Dataset, cut_off: str) -> None:
    with pytest.raises(EmptyData):
        split_by_time(timelines, cut_off)


def test_a_cut_off_that_is_no_time_is_refused(timelines: Dataset) -> None:
    with pytest.raises(DataError, match="'soon'"):
        split_by_time(timelines, "soon")


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_a_share_outside_the_open_unit_interval_is_refused(timelines: Dataset, share: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        split_by_user_time(timelines, share)


def test_a_given_split_is_taken_as_it_stands() -> None:
    train, test = csr_matrix(np.eye(3)), csr_matrix(np.fliplr(np.eye(3)))
    split = split_given(train, test)
    assert split.train.matrix.dtype == np.float32
    assert split.test.nnz == 3
    with pytest.raises(DataError, match="shape"):
        split_given(train, csr_matrix(np.eye(4)))
    with pytest.raises(EmptyData):
        split_given(train, csr_matrix(np.zeros((3, 3))))


def test_a_validation_part_is_the_last_of_what_the_test_leaves(datasets: Datasets) -> None:
    rows = pl.DataFrame({"user_id": [1] * 10, "item_id": list(range(10))})
    dataset = datasets.create(rows)
    test, validation = (split_by_user_time(dataset, 0.2, validation=nested) for nested in (False, True))
    assert test.test.indices.tolist() == [8, 9]
    assert validation.test.indices.tolist() == [7]
    assert validation.train.matrix.indices.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert validation.name == "last 0.2 of each user, before the test"
