"""Groups of users by which metrics are broken down: by activity, and by each of their features."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from interactions.training_set import TrainingSet

ACTIVITY: Final = "activity"
COLD: Final = "cold"
PARTS: Final = 4
"""Groups of equal size that users with a history are parted into, where their activity differs enough."""

MAX_GROUPS: Final = 20
"""Values of a feature that are looked at, the most frequent ones."""

Groups = dict[str, NDArray[np.bool_]]
"""Who of the users asked for belongs to a group, (n,) each, by the group's name."""


def group_users(data: TrainingSet, users: NDArray[np.integer]) -> dict[str, Groups]:
    """The groups of ``users`` (n,) by what they are grouped by: "activity" and the features' columns."""
    found = {ACTIVITY: by_activity(np.diff(data.matrix.indptr)[users])}
    features = data.user_features.matrix[users]
    for column, places in data.user_features.columns().items():
        sizes = np.asarray(features[:, places].sum(axis=0)).ravel()
        largest = sorted(np.argsort(-sizes, kind="stable")[:MAX_GROUPS].tolist())
        groups = {
            data.user_features.names[places[rank]].partition("=")[2]: _has(features[:, [places[rank]]])
            for rank in largest
            if sizes[rank]
        }
        if groups:
            found[column] = groups
    return found


def by_activity(counts: NDArray[np.integer]) -> Groups:
    """ "cold" for those without a history, the others in about equal parts, "1-5", "6-20" …: ``counts`` (n,)
    interactions each.
    """
    groups: Groups = {}
    if (counts == 0).any():
        groups[COLD] = counts == 0
    active = counts[counts > 0]
    if not len(active):
        return groups
    bounds = np.unique(np.quantile(active, np.linspace(0, 1, PARTS + 1)[1:], method="lower"))
    low = int(active.min())
    for high in bounds.tolist():
        name = str(low) if low == high else f"{low}-{high}"
        groups[name] = (counts >= low) & (counts <= high)
        low = high + 1
    return {name: members for name, members in groups.items() if members.any()}


def _has(column: object) -> NDArray[np.bool_]:
    return np.asarray(column.toarray()[:, 0] > 0, np.bool_)  # type: ignore[attr-defined]
