"""What a list may hold beside what ranks best: some items only, and no more than so many of a group."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ranking.lists import Ranking, keep_first

RankDeep = Callable[[NDArray[np.int64], int], Ranking]
"""The lists of some rows at a depth."""


@dataclass(frozen=True, eq=False)
class ListRules:
    """Rules over a catalogue; those left out do not apply.

    allowed: (n_items,) bool, the items a list may hold;
    groups: (n_items,) int32, the group of each item, -1 for none; most_per_group: of one group in a list.
    """

    allowed: NDArray[np.bool_] | None = None
    groups: NDArray[np.int32] | None = None
    most_per_group: int = 1

    def apply(self, ranking: Ranking, k: int) -> Ranking:
        """The first k items of each list that the rules let through."""
        keep = ranking.items >= 0
        if self.allowed is not None:
            keep &= self.allowed[ranking.items]
        kept = keep_first(ranking, keep, ranking.items.shape[1])
        return keep_first(kept, self._within_groups(kept.items), k)

    def rank(self, rank: RankDeep, n: int, n_items: int, k: int) -> Ranking:
        """The k best of n lists: the greedy choice from best to worst, as deep as it takes.

        Args:
            rank: lists of allowed items only.
        """
        ranking = Ranking.empty(n, k)
        rows, depth = np.arange(n), k if self.groups is None else 2 * k
        while len(rows):
            depth = min(depth, max(k, n_items))
            found = rank(rows, depth)
            part = keep_first(found, self._within_groups(found.items), k)
            done = (part.items[:, -1] >= 0) | (found.items[:, -1] < 0) | (depth >= n_items)
            ranking.put(rows[done], part.items[done], part.scores[done])
            rows, depth = rows[~done], 4 * depth
        return ranking

    def _within_groups(self, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which items (n, m) stay: all that are in no group, and the first so many of each."""
        listed: NDArray[np.bool_] = items >= 0
        if self.groups is None:
            return listed
        group = np.where(listed, self.groups[items], -1)
        order = np.argsort(group, axis=1, kind="stable")
        ordered = np.take_along_axis(group, order, 1)
        place = np.broadcast_to(np.arange(items.shape[1]), items.shape)
        begins = np.ones(items.shape, np.bool_)
        begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        number = place - np.maximum.accumulate(np.where(begins, place, 0), axis=1)
        within = np.empty(items.shape, np.bool_)
        np.put_along_axis(within, order, (number < self.most_per_group) | (ordered < 0), 1)
        return listed & within


NO_RULES = ListRules()
