"""Each metric against hand-computed values and against its definition written out in loops."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.metrics import (
    average_precision,
    average_precision_min,
    coverage,
    hit_rate,
    metric_name,
    ndcg,
    novelty,
    precision,
    recall,
    reciprocal_rank,
    score_ranking,
)
from models.ranking import Ranking

HITS = np.array([[True, False, True, False], [False, False, False, True], [False] * 4])
RELEVANT = np.array([3, 9, 1])


def test_average_precision_divides_by_all_relevant() -> None:
    assert average_precision(HITS, RELEVANT) == pytest.approx([(1 + 2 / 3) / 3, (1 / 4) / 9, 0])


def test_average_precision_min_divides_by_what_is_within_reach() -> None:
    assert average_precision_min(HITS, RELEVANT) == pytest.approx([(1 + 2 / 3) / 3, (1 / 4) / 4, 0])


def test_reciprocal_rank_is_that_of_the_first_hit() -> None:
    assert reciprocal_rank(HITS) == pytest.approx([1, 1 / 4, 0])


def test_precision_divides_by_k() -> None:
    assert precision(HITS) == pytest.approx([2 / 4, 1 / 4, 0])


def test_recall_divides_by_relevant() -> None:
    assert recall(HITS, RELEVANT) == pytest.approx([2 / 3, 1 / 9, 0])


def test_ndcg_has_the_achievable_ideal() -> None:
    ideal_of_three = 1 + 1 / math.log2(3) + 1 / 2
    ideal_of_four = ideal_of_three + 1 / math.log2(5)
    expected = [1.5 / ideal_of_three, (1 / math.log2(5)) / ideal_of_four, 0]
    assert ndcg(HITS, RELEVANT) == pytest.approx(expected)


def test_a_perfect_list_has_ndcg_one() -> None:
    assert ndcg(np.array([[True, True, False], [True, True, True]]), np.array([2, 8])) == pytest.approx(
        [1, 1]
    )


def test_hit_rate_is_whether_there_is_a_hit() -> None:
    assert hit_rate(HITS).tolist() == [1, 1, 0]


def test_novelty_is_the_mean_surprise_and_knows_unheard_of_items() -> None:
    items = np.array([[0, 1], [2, -1], [-1, -1]], np.int32)
    assert novelty(items, np.array([8, 2, 0]), 8) == pytest.approx([(0 + 2) / 2, 3, 0])


def test_coverage_counts_distinct_items() -> None:
    assert coverage(np.array([[0, 1], [1, -1]], np.int32), 8) == 2 / 8


def test_names_put_the_length_before_the_form() -> None:
    assert (metric_name("MAP", 10), metric_name("MAP (min)", 10)) == ("MAP@10", "MAP@10 (min)")


def literal(
    lists: list[list[int]], test: list[set[int]], users_of: list[int], n_users: int, k: int
) -> dict[str, float]:
    """The definitions, word for word."""
    sums = dict.fromkeys(("MAP", "MAPmin", "MRR", "Precision", "Recall", "NDCG", "HitRate", "Novelty"), 0.0)
    sums["Popularity"] = 0.0
    for items, relevant in zip(lists, test, strict=True):
        found, ap, dcg, first = 0, 0.0, 0.0, 0.0
        for rank, item in enumerate(items, start=1):
            if item in relevant:
                found += 1
                ap += found / rank
                dcg += 1 / math.log2(rank + 1)
                first = first or 1 / rank
        reachable = min(k, len(relevant))
        sums["MAP"] += ap / len(relevant)
        sums["MAPmin"] += ap / reachable
        sums["MRR"] += first
        sums["Precision"] += found / k
        sums["Recall"] += found / len(relevant)
        sums["NDCG"] += dcg / sum(1 / math.log2(rank + 1) for rank in range(1, reachable + 1))
        sums["HitRate"] += found > 0
        if items:
            surprise = [-math.log2(max(users_of[item], 1) / n_users) for item in items]
            sums["Novelty"] += sum(surprise) / len(items)
            sums["Popularity"] += sum(users_of[item] / n_users for item in items) / len(items)
    means = {f"{name}@{k}": total / len(lists) for name, total in sums.items()}
    means[f"MAP@{k} (min)"] = means.pop(f"MAPmin@{k}")
    means[f"Coverage@{k}"] = len({item for items in lists for item in items}) / len(users_of)
    means["users"] = len(lists)
    return means


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 3, 10])
def test_all_metrics_are_their_literal_definitions(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_items = 40, 25
    held_out = rng.random((n, n_items)) < rng.choice([0.05, 0.6], size=(n, 1))
    held_out[np.arange(n), rng.integers(0, n_items, n)] = True
    lists = [rng.permutation(n_items)[: rng.integers(0, k + 1)].tolist() for _ in range(n)]
    items = np.array([found + [-1] * (k - len(found)) for found in lists], np.int32).reshape(n, k)
    users_of = rng.integers(0, 100, n_items)
    scored = score_ranking(
        Ranking(items, np.zeros((n, k), np.float32)), csr_matrix(held_out.astype(np.float32)), users_of, 100
    )
    test = [set(np.flatnonzero(row).tolist()) for row in held_out]
    assert scored == pytest.approx(literal(lists, test, users_of.tolist(), 100, k))
