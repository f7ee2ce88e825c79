"""The losses against values worked out by hand."""

import math

import pytest
import torch

from models.deep.losses import bpr_loss, in_batch_softmax_loss, kl_to_standard_normal, multinomial_loss

LOG2, LOG3 = math.log(2), math.log(3)


def multinomial(logits: list[list[float]], touched: list[list[int]], biases: list[float]) -> torch.Tensor:
    owners = torch.tensor([row for row, items in enumerate(touched) for _ in items])
    items = torch.tensor([item for items in touched for item in items])
    counts = torch.tensor([len(items) for items in touched])
    return multinomial_loss(torch.tensor(logits), torch.tensor(biases), owners, items, counts)


def test_the_multinomial_loss_sums_over_a_user_and_averages_over_users() -> None:
    loss = multinomial([[0.0, 0.0], [LOG3, 0.0]], [[0, 1], [1]], [0.0, 0.0])
    assert loss.item() == pytest.approx((2 * LOG2 + math.log(4)) / 2)


def test_the_biases_are_part_of_the_multinomial_logits() -> None:
    assert multinomial([[0.0, 0.0]], [[1]], [LOG3, 0.0]).item() == pytest.approx(math.log(4))


def test_the_multinomial_loss_takes_large_logits_and_rows_without_items() -> None:
    assert multinomial([[1000.0, 0.0], [5.0, 1.0]], [[0], []], [0.0, 0.0]).item() == 0


def test_the_gradient_of_the_multinomial_loss_is_the_numerical_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.deep.losses._rows_at_once", lambda logits: 2)
    numbers = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 7, generator=numbers, requires_grad=True)
    biases = torch.randn(7, generator=numbers, requires_grad=True)
    owners, items = torch.tensor([0, 0, 1, 3, 3, 3, 4]), torch.tensor([1, 6, 2, 0, 3, 5, 5])
    counts = torch.tensor([2, 1, 0, 3, 1])
    by_hand = torch.autograd.grad(multinomial_loss(logits, biases, owners, items, counts), (logits, biases))
    touched = torch.zeros(5, 7)
    touched[owners, items] = 1
    plain = -(torch.log_softmax(logits + biases, dim=1) * touched).sum(dim=1).mean()
    by_autograd = torch.autograd.grad(plain, (logits, biases))
    for ours, theirs in zip(by_hand, by_autograd, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_standard_normal_is_at_no_distance_from_itself() -> None:
    assert kl_to_standard_normal(torch.zeros(3, 2), torch.zeros(3, 2)).item() == 0


def test_the_kl_divergence_is_that_of_the_gaussian_formula() -> None:
    mean, log_variance = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 2 * LOG2], [0.0, 0.0]])
    first = 0.5 * 1 + 0.5 * (4 - 1 - 2 * LOG2)
    assert kl_to_standard_normal(mean, log_variance).item() == pytest.approx(first / 2)


def test_the_in_batch_softmax_counts_a_rare_item_as_the_stronger_for_it() -> None:
    scores, log_frequencies = torch.zeros(2, 2), torch.tensor([0.0, -LOG3])
    assert in_batch_softmax_loss(scores, torch.zeros(2)).item() == pytest.approx(LOG2)
    corrected = (math.log(4) + math.log(4 / 3)) / 2
    assert in_batch_softmax_loss(scores, log_frequencies).item() == pytest.approx(corrected)


def test_an_excluded_column_is_no_negative_but_the_own_item_stays() -> None:
    scores = torch.tensor([[1.0, 5.0], [0.0, 0.0]])
    excluded = torch.tensor([[True, True], [False, False]])
    assert in_batch_softmax_loss(scores, torch.zeros(2), excluded).item() == pytest.approx(LOG2 / 2)


def test_bpr_wants_the_positive_above_the_negative() -> None:
    assert bpr_loss(torch.zeros(2), torch.zeros(2)).item() == pytest.approx(LOG2)
    assert bpr_loss(torch.tensor([LOG3]), torch.tensor([0.0])).item() == pytest.approx(math.log(4 / 3))
