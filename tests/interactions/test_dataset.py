import pytest

from interactions.dataset import Dataset
from topshelf.errors import CorruptDataset


def test_indices_follow_ascending_external_ids(small: Dataset) -> None:
    assert small.users.external.tolist() == [10, 20, 30]
    assert small.items.external.tolist() == ["a", "b", "c"]


def test_interactions_stand_by_user_and_time(small: Dataset) -> None:
    rows = small.interactions()
    assert rows["user"].to_list() == [0, 0, 1, 1, 1]
    assert rows["item"].to_list() == [0, 1, 1, 2, 2]
    assert {name: str(dtype) for name, dtype in rows.schema.items()} == {
        "user": "UInt32",
        "item": "UInt32",
        "weight": "Float32",
        "timestamp": "Datetime(time_unit='us', time_zone=None)",
    }


def test_the_matrix_has_one_entry_per_pair_while_both_rows_stay(small: Dataset) -> None:
    assert small.matrix().toarray().tolist() == [[2, 3, 0], [0, 1, 9], [0, 0, 0]]
    assert small.interactions().height == 5


def test_an_item_without_a_title_goes_by_its_id(small: Dataset) -> None:
    assert small.titles() == ["a", "b", "Sea"]


def test_categories_of_items_that_never_interact_are_left_out(small: Dataset) -> None:
    assert small.manifest.category_names == ("x", "y")
    assert small.item_categories().toarray().tolist() == [[0, 1], [0, 0], [1, 1]]
    assert small.categories_of_items() == [["y"], [], ["x", "y"]]


def test_features_stand_in_index_order(small: Dataset) -> None:
    items, users = small.item_features(), small.user_features()
    assert items is not None
    assert items.to_dict(as_series=False) == {"year": [2001, None, 1999]}
    assert users is not None
    assert users["age"].to_list() == [None, "old", "young"]


def test_the_training_set_is_the_whole_of_it(small: Dataset) -> None:
    data = small.training_set()
    assert data.matrix.shape == (3, 3)
    assert data.category_names == ("x", "y")
    assert (len(data.user_features), len(data.item_features)) == (3, 3)


def test_a_user_of_whom_only_features_are_known_belongs_to_it(small: Dataset) -> None:
    assert small.training_set().matrix[[2]].nnz == 0
    assert small.users.external.tolist()[2] == 30


def test_what_one_caller_changes_another_does_not_see(small: Dataset) -> None:
    small.matrix().data[:] = 0
    assert small.matrix().data.sum() == 15


def test_a_file_gone_after_opening_is_reported_as_corruption(small: Dataset) -> None:
    (small.path / "matrix.npz").unlink()
    with pytest.raises(CorruptDataset, match=r"matrix\.npz"):
        small.matrix()


def test_rows_come_back_under_their_external_ids(small: Dataset) -> None:
    assert small.rows().select("user_id", "item_id").rows() == [
        (10, "a"),
        (10, "b"),
        (20, "b"),
        (20, "c"),
        (20, "c"),
    ]
