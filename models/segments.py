"""Lists shared by a group of users instead of one list a user."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ranking import Ranking

SEGMENT_ITEMS = 200
"""Length of a stored segment list: long enough that ten remain once most users' seen items are gone."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Every user belongs to one segment and is served that segment's list.

    labels: labels[0] == "" is everybody; ranking: (n_segments, k);
    segment_of_user: (n_users,) uint16, a row number of ``ranking``.
    """

    labels: tuple[str, ...]
    ranking: Ranking
    segment_of_user: NDArray[np.uint16]
