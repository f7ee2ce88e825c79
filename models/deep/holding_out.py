"""The part of a training matrix kept back to stop early by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.splits import hold_out_at_random
from models.metrics import score_ranking
from models.ranking import Ranking

CUT_OFF = 10
MAX_USERS = 4096
"""Users measured after each epoch, at most: enough to compare epochs, and quick."""

Rank = Callable[[NDArray[np.integer], csr_matrix, int], Ranking]
"""Ranks users (n,) by their histories (n, n_items), these left out: k items each."""


@dataclass(frozen=True, eq=False)
class HoldOut:
    """A random share of each user's items is held out; the others are trained on.

    Entries are held out, not users, since the lists are for the users trained on.
    kept: (n_users, n_items); users: (n,) those measured; held: (n, n_items), their held-out items.
    """

    kept: csr_matrix
    users: NDArray[np.int64]
    held: csr_matrix

    @classmethod
    def of(cls, matrix: csr_matrix, share: float, seed: int) -> "HoldOut | None":
        """Hold out ``floor(share * n)`` of each user's n items; None where that is nothing."""
        kept, held = hold_out_at_random(matrix, share, seed)
        users = np.flatnonzero(np.diff(held.indptr))
        if not len(users) or not kept.nnz:
            return None
        if len(users) > MAX_USERS:
            users = np.sort(np.random.default_rng(seed).choice(users, MAX_USERS, replace=False))
        return cls(kept, users, held[users])

    def measure(self, rank: Rank) -> dict[str, float]:
        """The metrics at 10 of the lists that ``rank`` gives, named as in ``models.metrics``."""
        ranking = rank(self.users, self.kept[self.users], CUT_OFF)
        users_of_item = np.bincount(self.kept.indices, minlength=self.kept.shape[1])
        return score_ranking(ranking, self.held, users_of_item, self.kept.shape[0])
