"""Which user watched which item: views dealt out to users by taste, no pair twice.

Every view of an item is a token, every view a user has a slot. Tokens and slots are tagged with a cluster or
with none, shuffled within their tag and laid side by side; a user's second token of one item is then swapped
with a slot of the same tag until there is none. So the items' views and the users' activity stay exact.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.interpolate import PchipInterpolator

TASTES: Final = (0.9, 0.08)
"""Share of a user's views that fall into the first and the second cluster of theirs."""
HEAD: Final = 1
"""Rank at which an item is watched by taste half as often as one from the tail."""
CURVE: Final = ((1, 0.037), (10, 0.187), (100, 0.399), (1_000, 0.769), (3_000, 0.944), (15_706, 1.0))
"""Share of all views that the most viewed items take together, as KION has it."""
MOST_FANS: Final = 0.5
"""Share of a cluster's users that watch any one of its items by taste."""
TAGGED_ROUNDS: Final = 12
"""Rounds of swaps within a tag; whom these cannot part is parted by swaps with anybody."""
SWAP_ROUNDS: Final = 200


def popularity(n_items: int) -> np.ndarray:
    """Each item's share of all views, most viewed first; (n_items,) float64 that sums to 1.

    The cumulative share is a monotone cubic through ``CURVE`` over the logarithm of the rank. A smaller
    catalogue takes the head of the curve, a larger one stretches it.
    """
    ranks, shares = np.array(CURVE).T
    curve = PchipInterpolator(np.log(ranks), shares)
    stretch = min(1.0, float(np.log(ranks[-1]) / np.log(n_items)))
    weights = np.diff(curve(stretch * np.log(np.arange(1, n_items + 1))), prepend=0.0)
    weights = -np.sort(-np.maximum(weights, 1e-12))
    normalised: np.ndarray = weights / weights.sum()
    return normalised


@dataclass(frozen=True, eq=False)
class Tastes:
    """Who likes what: a cluster per item, two per user, and the views that each cluster's fans give.

    ``item_cluster`` (n_items,), ``user_clusters`` (2, n_users), ``views_by_taste`` (n_items,) int64.
    """

    item_cluster: np.ndarray
    user_clusters: np.ndarray
    views_by_taste: np.ndarray

    @classmethod
    def draw(
        cls, item_cluster: np.ndarray, views: np.ndarray, n_users: int, rng: np.random.Generator
    ) -> Self:
        """Give each user two clusters, a cluster as often as its items are watched by taste."""
        rank = np.arange(len(views))
        pull = 0.95 * (rank + 1) / (rank + 1 + HEAD)
        wanted = views * pull
        wanted *= min(1.0, sum(TASTES) * views.sum() / wanted.sum())
        mass = np.bincount(item_cluster, wanted)
        fans = n_users * mass / mass.sum()
        wanted = np.minimum(wanted, MOST_FANS * fans[item_cluster])
        edges = np.cumsum(mass) / mass.sum()
        drawn = np.searchsorted(edges, rng.random((2, n_users), dtype=np.float32), side="right")
        return cls(item_cluster, np.minimum(drawn, len(mass) - 1), np.floor(wanted).astype(np.int64))


def matched_items(
    users: np.ndarray, views: np.ndarray, tastes: Tastes, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """An item for every slot: (n,) int32, and whether the user's taste chose it, (n,) bool.

    ``users`` (n,) int32 ascending is the user of each slot, ``views`` (n_items,) sums to n.
    """
    n_clusters = int(tastes.item_cluster.max()) + 1
    slot_tags = _slot_tags(users, tastes, n_clusters, rng)
    tokens, token_tags = _tokens(views, tastes, n_clusters)
    _level(slot_tags, token_tags, n_clusters, rng)
    slots = np.argsort(slot_tags, kind="stable")
    shuffled = rng.permutation(len(tokens))
    ordered = shuffled[np.argsort(token_tags[shuffled], kind="stable")]
    items = np.empty(len(tokens), dtype=np.int32)
    items[slots] = tokens[ordered]
    bounds = np.searchsorted(slot_tags[slots], np.arange(n_clusters + 2))
    _separate(users, items, slot_tags, slots, bounds, rng)
    return items, slot_tags < n_clusters


def _slot_tags(users: np.ndarray, tastes: Tastes, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    first, second = (clusters.astype(np.int16)[users] for clusters in tastes.user_clusters)
    luck = rng.random(len(users), dtype=np.float32)
    return np.where(luck < TASTES[0], first, np.where(luck < sum(TASTES), second, np.int16(n_clusters)))


def _tokens(views: np.ndarray, tastes: Tastes, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    n_items = np.arange(len(views), dtype=np.int32)
    anyway = views - tastes.views_by_taste
    tokens = np.concatenate([np.repeat(n_items, tastes.views_by_taste), np.repeat(n_items, anyway)])
    tags = np.concatenate(
        [
            np.repeat(tastes.item_cluster.astype(np.int16), tastes.views_by_taste),
            np.full(int(anyway.sum()), n_clusters, dtype=np.int16),
        ]
    )
    return tokens, tags


def _level(slot_tags: np.ndarray, token_tags: np.ndarray, n_clusters: int, rng: np.random.Generator) -> None:
    """Untag what a cluster has too much of, slots or tokens, so that each tag has as many of both."""
    surplus = np.bincount(slot_tags, minlength=n_clusters + 1) - np.bincount(
        token_tags, minlength=n_clusters + 1
    )
    for cluster in range(n_clusters):
        tags = slot_tags if surplus[cluster] > 0 else token_tags
        tagged = np.flatnonzero(tags == cluster)
        tags[rng.choice(tagged, size=abs(int(surplus[cluster])), replace=False)] = n_clusters


def _separate(
    users: np.ndarray,
    items: np.ndarray,
    tags: np.ndarray,
    slots: np.ndarray,
    bounds: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Swap items in place between slots of one tag until no user has an item twice."""
    n_items = int(items.max()) + 1
    concerned = np.arange(len(users))
    for turn in range(SWAP_ROUNDS):
        repeated = _repeats(users[concerned].astype(np.int64) * n_items + items[concerned])
        late = concerned[repeated]
        if not len(late):
            return
        low, high = (bounds[tags[late]], bounds[tags[late] + 1]) if turn < TAGGED_ROUNDS else (0, len(users))
        partner = slots[rng.integers(low, high, size=len(late))]
        late, partner = _disjoint(late, partner)
        items[late], items[partner] = items[partner], items[late]
        touched = np.zeros(int(users[-1]) + 1, dtype=bool)
        touched[users[late]] = touched[users[partner]] = touched[users[concerned[repeated]]] = True
        concerned = np.flatnonzero(touched[users])
    _reassign(users, items)


def _repeats(keys: np.ndarray) -> np.ndarray:
    """Positions of all but the first occurrence of each key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    later: np.ndarray = order[1:][ordered[1:] == ordered[:-1]]
    return later


def _disjoint(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those pairs of slots in which no slot occurs that an earlier pair, or the other side, has."""
    both = np.concatenate([left, right])
    _, first = np.unique(both, return_index=True)
    single = np.zeros(len(both), dtype=bool)
    single[first] = True
    keep = single[: len(left)] & single[len(left) :]
    return left[keep], right[keep]


def _reassign(users: np.ndarray, items: np.ndarray) -> None:
    """Give each slot that still repeats an item one that its user has not seen."""
    n_items = int(items.max()) + 1
    for slot in _repeats(users.astype(np.int64) * n_items + items):
        seen = items[users == users[slot]]
        items[slot] = np.setdiff1d(np.arange(n_items), seen)[0]
