"""Gathering bags of items."""

import numpy as np
import torch
from scipy.sparse import csr_matrix

from models.deep.batches import Histories

CPU = torch.device("cpu")
MATRIX = csr_matrix(np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 5]], np.float32))


def test_bags_hold_each_users_items_in_the_order_asked_for() -> None:
    bags = Histories(MATRIX, CPU).bags(torch.tensor([3, 0, 2, 0]))
    assert bags.items.tolist() == [3, 0, 2, 1, 2, 3, 0, 2]
    assert bags.owners.tolist() == [0, 1, 1, 2, 2, 2, 3, 3]
    assert bags.offsets.tolist() == [0, 1, 3, 6]
    assert bags.counts.tolist() == [1, 2, 3, 2]
    assert len(bags) == 4


def test_a_user_without_items_has_an_empty_bag() -> None:
    bags = Histories(MATRIX, CPU).bags(torch.tensor([1, 3]))
    assert (bags.items.tolist(), bags.counts.tolist(), bags.offsets.tolist()) == ([3], [0, 1], [0, 0])


def test_no_users_are_no_bags() -> None:
    bags = Histories(MATRIX, CPU).bags(torch.tensor([], dtype=torch.int64))
    assert len(bags) == len(bags.items) == 0


def test_entries_of_weight_zero_count() -> None:
    zero = csr_matrix((np.zeros(1, np.float32), [2], [0, 0, 1]), shape=(2, 4))
    assert Histories(zero, CPU).users.tolist() == [1]
    assert Histories(zero, CPU).bags(torch.tensor([1])).items.tolist() == [2]
