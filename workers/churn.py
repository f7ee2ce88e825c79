"""How much of what users are served a publication changes."""

from dataclasses import dataclass

import numpy as np

from store.generations import Generation
from store.stocked import read_lists
from workers.content import load_content
from workers.live_lists import live_lists, padded
from workers.runtime import Runtime

SAMPLE_USERS = 10_000


@dataclass(frozen=True)
class Churn:
    """Lists of a generation beside those it replaces, of users who have both.

    Attributes:
        overlap: mean share of a list's items that its successor keeps.
        changed: share of the users whose list is another one, be it by its order.
    """

    overlap: float
    changed: float

    def __str__(self) -> str:
        return f"{self.overlap:.1%} of a list is kept, {self.changed:.1%} of the users have another one"


def measure_churn(runtime: Runtime, generation: Generation) -> Churn | None:
    """Compare a generation that is not published yet with what is live, over a sample of its users.

    Of a delta, its own users are looked at. None where nothing is live or nobody has a list in both.
    """
    content = load_content(runtime, generation)
    users = content.shelf.dataset.users.keys_of(content.sample(SAMPLE_USERS))
    catalogue = runtime.datasets.open(generation.dataset)
    before = live_lists(runtime, generation.model, catalogue, users)
    if before is None:
        return None
    new = padded(read_lists(runtime.serving, runtime.keys, [generation], users), generation.k_store)
    return compare_lists(before[:, : generation.k_store], new)


def compare_lists(before: np.ndarray, after: np.ndarray) -> Churn | None:
    """Compare lists row by row; None where no row has something in both.

    Args:
        before: (n, m) item indices, -1 padded, -2 for an item that is no more; after: (n, k) likewise.
    """
    both = (before != -1).any(axis=1) & (after != -1).any(axis=1)
    if not both.any():
        return None
    before, after = before[both], after[both]
    width = max(before.shape[1], after.shape[1])
    before, after = (_widened(lists, width) for lists in (before, after))
    listed = before != -1
    kept = ((before[:, :, np.newaxis] == after[:, np.newaxis, :]).any(axis=2) & listed).sum(axis=1)
    changed = (before != after).any(axis=1)
    return Churn(float((kept / listed.sum(axis=1)).mean()), float(changed.mean()))


def _widened(lists: np.ndarray, width: int) -> np.ndarray:
    return np.pad(lists, ((0, 0), (0, width - lists.shape[1])), constant_values=-1)
