"""What a list may hold beside what ranks best: some items only, and no more than so many of a group."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ranking.blocks import BLOCK_BYTES
from models.ranking.lists import Ranking, keep_first

RankDeep = Callable[[NDArray[np.int64], int], Ranking]
"""The lists of some rows at a depth."""

_BYTES_PER_PLACE = 64
"""Of a list while it is made, the arrays that sort it by group included."""


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
        if self.groups is None:
            return rank(np.arange(n), k)
        ranking = Ranking.empty(n, k)
        longest, depth, rows = min(k, self._most_listed(n_items)), 2 * k, np.arange(n)
        while len(rows):
            depth = min(depth, max(k, n_items))
            open_rows = []
            for part in np.array_split(rows, -(-len(rows) * depth * _BYTES_PER_PLACE // BLOCK_BYTES)):
                found = rank(part, depth)
                listed = keep_first(found, self._within_groups(found.items), k)
                counts = (listed.items >= 0).sum(axis=1)
                done = (counts >= longest) | (found.items[:, -1] < 0) | (depth >= n_items)
                ranking.put(part[done], listed.items[done], listed.scores[done])
                open_rows.append(part[~done])
            rows, depth = np.concatenate(open_rows), 4 * depth
        return ranking

    def _most_listed(self, n_items: int) -> int:
        """Items that the caps leave of the whole catalogue."""
        groups = np.full(n_items, -1, np.int32) if self.groups is None else self.groups
        if self.allowed is not None:
            groups = groups[self.allowed]
        return int(
            (groups < 0).sum() + np.minimum(np.bincount(groups[groups >= 0]), self.most_per_group).sum()
        )

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
