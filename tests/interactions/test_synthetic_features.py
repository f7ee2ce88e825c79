import numpy as np
import polars as pl

from interactions.synthetic_features import AGES, GENRES, item_frame, user_frame


def most_common(values: pl.Series) -> float:
    return float(values.value_counts(sort=True)["count"][0] / len(values))


def test_half_of_a_clusters_users_share_its_features() -> None:
    cluster = np.repeat([0, 1], 2_000)
    users = user_frame(np.arange(4_000), cluster, 2, np.random.default_rng(0))
    assert set(users["age"]) == set(AGES)
    for part in (users.head(2_000), users.tail(2_000)):
        assert 0.5 < most_common(part["age"]) < 0.66
    assert users["kids_flg"].is_between(0, 1).all()


def test_most_items_of_a_cluster_carry_its_genre_first() -> None:
    items = item_frame(np.arange(2_000), np.zeros(2_000, dtype=np.int64), 1, np.random.default_rng(0))
    assert most_common(items["categories"].list.first()) > 0.8
    assert set(items["categories"].explode()) <= set(GENRES)
    assert (items["categories"].list.len() == items["categories"].list.n_unique()).all()
    assert items["release_year"].is_between(1941, 2021).all()
