"""Made-up interactions in the shape of the KION data set, with tastes planted in them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import numpy as np
import polars as pl

from interactions.columns import ITEM, TIMESTAMP, USER, WEIGHT
from interactions.synthetic_features import item_frame, user_frame
from interactions.synthetic_pairs import Tastes, matched_items, popularity
from topshelf.errors import DataError

KION_USERS: Final = 962_179
KION_ITEMS: Final = 15_706
KION_INTERACTIONS: Final = 5_476_251
FIRST_DAY: Final = datetime(2021, 3, 13)
DAYS: Final = 163
ID_SPREAD: Final = 1.14
"""External ids leave gaps: about one in eight is taken by nobody."""
ACTIVITY_SPREAD: Final = 0.8
"""Standard deviation of the logarithm of a user's activity."""


@dataclass(frozen=True)
class SyntheticShape:
    """How much to make up, KION's figures by default. The same shape and seed make the same data.

    Raises:
        DataError: when there are fewer than 10 users or 10 items, more interactions than half of all
            pairs, or fewer than one per user.
    """

    users: int = KION_USERS
    items: int = KION_ITEMS
    interactions: int = KION_INTERACTIONS
    clusters: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        if self.users < 10 or self.items < 10 or self.clusters < 1:
            raise DataError("synthetic data takes 10 users, 10 items and a cluster at least")
        if not self.users <= self.interactions <= self.users * self.items // 2:
            raise DataError(
                f"{self.interactions:,} interactions do not fit {self.users:,} users and {self.items:,} "
                "items: there must be one per user at least and half of all pairs at most"
            )

    @classmethod
    def of_users(cls, users: int, *, seed: int = 0) -> Self:
        """The default shape scaled to ``users``: as many interactions a user, the catalogue by its root."""
        items = max(30, round(KION_ITEMS * (users / KION_USERS) ** 0.5))
        interactions = max(users, round(users * KION_INTERACTIONS / KION_USERS))
        return cls(users, items, interactions, clusters=max(2, min(40, items // 30)), seed=seed)


@dataclass(frozen=True, eq=False)
class SyntheticData:
    """Tables as ``Datasets.create`` takes them, ids int64.

    ``interactions``: user_id, item_id, timestamp, weight (share watched, 0 … 100, float32), total_dur
    (seconds, i32); one row per distinct pair, by user. ``users``: user_id, age, income, sex, kids_flg.
    ``items``: item_id, title, categories, content_type, release_year, countries, for_kids, age_rating.
    ``user_cluster`` (n_users,) and ``item_cluster`` (n_items,) are the tastes planted, row by row.
    """

    interactions: pl.DataFrame
    users: pl.DataFrame
    items: pl.DataFrame
    user_cluster: np.ndarray
    item_cluster: np.ndarray


def generate(shape: SyntheticShape | None = None) -> SyntheticData:
    """Make up interactions, users and items.

    A user likes two clusters of items, and watches these and what is popular anyway. Items' views follow
    ``popularity`` exactly, users' activity is log-normal, no pair occurs twice.
    """
    shape = shape or SyntheticShape()
    rng = np.random.default_rng(shape.seed)
    activity = _activity(shape, rng)
    views = _views(shape, activity)
    item_cluster = rng.permutation(np.arange(shape.items) % shape.clusters)
    tastes = Tastes.draw(item_cluster, views, shape.users, rng)
    users = np.repeat(np.arange(shape.users, dtype=np.int32), activity)
    items, by_taste = matched_items(users, views, tastes, rng)
    user_ids, item_ids = _ids(shape.users, rng), rng.permutation(_ids(shape.items, rng))
    return SyntheticData(
        interactions=_interactions(users, items, by_taste, user_ids, item_ids, rng),
        users=user_frame(user_ids, tastes.user_clusters[0], shape.clusters, rng),
        items=item_frame(item_ids, item_cluster, shape.clusters, rng),
        user_cluster=tastes.user_clusters[0],
        item_cluster=item_cluster,
    )


def _activity(shape: SyntheticShape, rng: np.random.Generator) -> np.ndarray:
    """Interactions per user, (n_users,) int64, each at least 1, none above half of the catalogue."""
    highest = max(shape.items // 2, -(-shape.interactions // shape.users))
    appetite = rng.lognormal(0.0, ACTIVITY_SPREAD, shape.users)
    activity = np.ones(shape.users, dtype=np.int64)
    while left := shape.interactions - int(activity.sum()):
        hungry = np.where(activity < highest, appetite, 0.0)
        activity += rng.multinomial(left, hungry / hungry.sum())
        np.minimum(activity, highest, out=activity)
    return activity


def _views(shape: SyntheticShape, activity: np.ndarray) -> np.ndarray:
    """Views per item, (n_items,) int64, most viewed first; no item is seen by more than 7 users of 10."""
    highest = max(int(0.7 * shape.users), -(-shape.interactions // shape.items))
    wanted = popularity(shape.items) * int(activity.sum())
    floor = 1 if shape.interactions >= 2 * shape.items else 0
    views = np.clip(np.floor(wanted).astype(np.int64), floor, highest)
    order = np.argsort(np.floor(wanted) - wanted, kind="stable")
    while left := shape.interactions - int(views.sum()):
        able = order[views[order] < highest] if left > 0 else order[views[order] > floor]
        views[able[: abs(left)]] += 1 if left > 0 else -1
    return -np.sort(-views)


def _ids(count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(int(count * ID_SPREAD) + 1, size=count, replace=False)).astype(np.int64)


def _interactions(
    users: np.ndarray,
    items: np.ndarray,
    by_taste: np.ndarray,
    user_ids: np.ndarray,
    item_ids: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    luck = rng.random(len(users), dtype=np.float32)
    watched = np.where(by_taste, 40 + 60 * np.sqrt(luck), 100 * luck).round().astype(np.float32)
    minutes = rng.integers(20, 140, len(item_ids), dtype=np.int32)[items]
    # Views grow towards the end of the period, as a service that gains users shows them.
    moment = np.sqrt(rng.random(len(users), dtype=np.float32)).astype(np.float64) * (DAYS * 86_400 - 1)
    return pl.DataFrame(
        {
            USER: user_ids[users],
            ITEM: item_ids[items],
            TIMESTAMP: _instants(moment.astype(np.int64)),
            WEIGHT: watched,
            "total_dur": (watched * minutes * 0.6).astype(np.int32),
        }
    )


def _instants(seconds: np.ndarray) -> pl.Series:
    start = int((FIRST_DAY - datetime(1970, 1, 1)).total_seconds())
    return pl.Series((start + seconds) * 1_000_000).cast(pl.Datetime("us"))
