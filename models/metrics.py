"""Metrics of full rankings against held-out interactions, defined as in RecTools.

The per-user functions take ``hits`` (n, k) bool, hits[u, r] being whether rank r + 1 of user u is relevant,
and ``relevant`` (n,), the number of that user's held-out items (at least 1), and return (n,) float64.
"""

from collections.abc import Mapping

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


def popularity(items: NDArray[np.int32], users_of_item: Counts, n_users: int) -> PerUser:
    """Mean of users of item / n_users over the list: how much of a bestseller what is listed is.

    H. Abdollahpouri, R. Burke, B. Mobasher, "Managing Popularity Bias in Recommender Systems with
    Personalized Re-ranking", FLAIRS 2019 (average recommendation popularity).

    Args:
        items: (n, k), -1 for none; a user without a list gets 0.
    """
    listed = items >= 0
    total = np.where(listed, (users_of_item / max(n_users, 1))[items], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(listed.sum(axis=1), 1), np.float64)


def coverage(items: NDArray[np.int32], n_items: int) -> float:
    """Distinct items recommended to anybody / n_items."""
    return len(np.unique(items[items >= 0])) / n_items


def score_ranking(
    ranking: Ranking, test: csr_matrix, users_of_item: Counts, n_users: int
) -> dict[str, float]:
    """All metrics, averaged over users; the arguments are those of ``score_users``."""
    return summarise(score_users(ranking, test, users_of_item, n_users), ranking.items, test.shape[1])


def score_users(
    ranking: Ranking, test: csr_matrix, users_of_item: Counts, n_users: int
) -> dict[str, PerUser]:
    """Every metric that each user has of their own, by name, such as "MAP@10 (min)" for lists of 10.

    Args:
        ranking: (n, k) lists; a user without one scores 0.
        test: (n, n_items) held-out interactions, every row with at least one.
        users_of_item: (n_items,) users of each item in the training matrix; n_users: rows of that matrix.
    """
    k = ranking.items.shape[1]
    hits = contained(ranking.items, test)
    relevant = np.diff(test.indptr)
    per_user: dict[str, PerUser] = {
        "MAP": average_precision(hits, relevant),
        "MAP (min)": average_precision_min(hits, relevant),
        "MRR": reciprocal_rank(hits),
        "Precision": precision(hits),
        "Recall": recall(hits, relevant),
        "NDCG": ndcg(hits, relevant),
        "HitRate": hit_rate(hits),
        "Novelty": novelty(ranking.items, users_of_item, n_users),
        "Popularity": popularity(ranking.items, users_of_item, n_users),
    }
    return {metric_name(name, k): values for name, values in per_user.items()}


def summarise(per_user: Mapping[str, PerUser], items: NDArray[np.int32], n_items: int) -> dict[str, float]:
    """The means over users of what ``score_users`` gave, the coverage of ``items`` (n, k), and "users", n."""
    scores = {name: float(values.mean()) for name, values in per_user.items()}
    scores[metric_name("Coverage", items.shape[1])] = coverage(items, n_items)
    scores["users"] = float(len(items))
    return scores


def metric_name(name: str, k: int) -> str:
    """ "MAP (min)" at 10 is "MAP@10 (min)"."""
    head, _, form = name.partition(" ")
    return f"{head}@{k}{' ' + form if form else ''}"


def _precision_at_hits(hits: Hits) -> PerUser:
    ranks = np.arange(hits.shape[1]) + 1
    summed: PerUser = (np.cumsum(hits, axis=1) / ranks * hits).sum(axis=1)
    return summed
