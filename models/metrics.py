"""Metrics of full rankings against held-out interactions, defined as in RecTools.

The per-user functions take ``hits`` (n, k) bool, hits[u, r] being whether rank r + 1 of user u is relevant,
and ``relevant`` (n,), the number of that user's held-out items (at least 1), and return (n,) float64.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.ranking import Ranking, contained

Hits = NDArray[np.bool_]
Counts = NDArray[np.integer]
PerUser = NDArray[np.float64]


def average_precision(hits: Hits, relevant: Counts) -> PerUser:
    """Σ precision at each hit / relevant: RecTools' MAP."""
    return _precision_at_hits(hits) / relevant


def average_precision_min(hits: Hits, relevant: Counts) -> PerUser:
    """Σ precision at each hit / min(k, relevant): 1 is within reach of everybody."""
    return _precision_at_hits(hits) / np.minimum(hits.shape[1], relevant)


def reciprocal_rank(hits: Hits) -> PerUser:
    """1 / rank of the first hit, 0 without one."""
    first: PerUser = np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0.0)
    return first


def precision(hits: Hits) -> PerUser:
    """Hits / k."""
    share: PerUser = hits.mean(axis=1)
    return share


def recall(hits: Hits, relevant: Counts) -> PerUser:
    """Hits / relevant."""
    found: PerUser = hits.sum(axis=1) / relevant
    return found


def ndcg(hits: Hits, relevant: Counts) -> PerUser:
    """Σ 1 / log2(rank + 1) over the hits, over the same sum of the best list there can be."""
    discount = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    ideal = np.cumsum(discount)[np.minimum(hits.shape[1], relevant) - 1]
    return np.asarray((hits * discount).sum(axis=1) / ideal, np.float64)


def hit_rate(hits: Hits) -> PerUser:
    """1 where there is a hit."""
    return np.asarray(hits.any(axis=1), np.float64)


def novelty(items: NDArray[np.int32], users_of_item: Counts, n_users: int) -> PerUser:
    """Mean of -log2(users of item / n_users) over the list (MIUF); an item nobody touched counts one user.

    Args:
        items: (n, k), -1 for none; a user without a list gets 0.
    """
    surprise = np.log2(max(n_users, 1)) - np.log2(np.maximum(users_of_item, 1))
    listed = items >= 0
    total = np.where(listed, surprise[items], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(listed.sum(axis=1), 1), np.float64)


def coverage(items: NDArray[np.int32], n_items: int) -> float:
    """Distinct items recommended to anybody / n_items."""
    return len(np.unique(items[items >= 0])) / n_items


def score_ranking(
    ranking: Ranking, test: csr_matrix, users_of_item: Counts, n_users: int
) -> dict[str, float]:
    """All metrics, averaged over users.

    Args:
        ranking: (n, k) lists; a user without one scores 0.
        test: (n, n_items) held-out interactions, every row with at least one.
        users_of_item: (n_items,) users of each item in the training matrix; n_users: rows of that matrix.
    """
    k = ranking.items.shape[1]
    hits = contained(ranking.items, test)
    relevant = np.diff(test.indptr)
    per_user = {
        "MAP": average_precision(hits, relevant),
        "MAP (min)": average_precision_min(hits, relevant),
        "MRR": reciprocal_rank(hits),
        "Precision": precision(hits),
        "Recall": recall(hits, relevant),
        "NDCG": ndcg(hits, relevant),
        "HitRate": hit_rate(hits),
        "Novelty": novelty(ranking.items, users_of_item, n_users),
    }
    scores = {metric_name(name, k): float(values.mean()) for name, values in per_user.items()}
    scores[metric_name("Coverage", k)] = coverage(ranking.items, test.shape[1])
    scores["users"] = float(len(ranking))
    return scores


def metric_name(name: str, k: int) -> str:
    """ "MAP (min)" at 10 is "MAP@10 (min)"."""
    head, _, form = name.partition(" ")
    return f"{head}@{k}{' ' + form if form else ''}"


def _precision_at_hits(hits: Hits) -> PerUser:
    ranks = np.arange(hits.shape[1]) + 1
    summed: PerUser = (np.cumsum(hits, axis=1) / ranks * hits).sum(axis=1)
    return summed
