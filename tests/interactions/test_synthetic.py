import numpy as np
import polars as pl
import pytest

from interactions.datasets import Datasets
from interactions.splits import split_by_user_time
from interactions.synthetic import SyntheticData, SyntheticShape, generate
from topshelf.errors import DataError


@pytest.fixture(scope="module")
def medium() -> SyntheticData:
    return generate(SyntheticShape.of_users(5_000))


@pytest.mark.parametrize("users", [10, 11, 37, 100, 1_000, 5_000])
def test_any_number_of_users_gives_the_shape_asked_for(users: int) -> None:
    shape = SyntheticShape.of_users(users)
    data = generate(shape)
    pairs = data.interactions.select("user_id", "item_id")
    assert pairs.height == shape.interactions
    assert pairs.n_unique() == pairs.height
    assert pairs["user_id"].n_unique() == data.users.height == users
    assert data.items.height == shape.items
    assert data.users["user_id"].is_unique().all()
    assert data.items["item_id"].is_unique().all()
    assert pairs["item_id"].is_in(data.items["item_id"].implode()).all()
    assert shape.interactions / users == pytest.approx(5.69, abs=0.06)


def test_every_item_is_seen_where_there_are_views_enough(medium: SyntheticData) -> None:
    assert medium.interactions["item_id"].n_unique() == medium.items.height


def test_the_same_seed_makes_the_same_data() -> None:
    first, again, other = (generate(SyntheticShape.of_users(200, seed=seed)) for seed in (1, 1, 2))
    assert first.interactions.equals(again.interactions)
    assert first.users.equals(again.users)
    assert first.items.equals(again.items)
    assert not first.interactions.equals(other.interactions)


def test_ids_leave_gaps_and_do_not_tell_popularity(medium: SyntheticData) -> None:
    assert medium.users["user_id"].max() != medium.users.height - 1
    views = medium.interactions["item_id"].value_counts().sort("item_id")["count"].to_numpy()
    assert abs(np.corrcoef(np.arange(len(views)), views)[0, 1]) < 0.15


def test_users_watch_their_own_cluster_most(medium: SyntheticData) -> None:
    clusters = pl.DataFrame({"user_id": medium.users["user_id"], "of_user": medium.user_cluster})
    items = pl.DataFrame({"item_id": medium.items["item_id"], "of_item": medium.item_cluster})
    rows = medium.interactions.join(clusters, on="user_id").join(items, on="item_id")
    own = (rows["of_user"] == rows["of_item"]).mean()
    assert isinstance(own, float)
    assert own > 10 / len(np.unique(medium.item_cluster))


def test_a_clusters_own_hits_beat_the_popular_ones_twice(medium: SyntheticData, datasets: Datasets) -> None:
    split = split_by_user_time(datasets.create(medium.interactions))
    seen, test = split.train.matrix > 0, split.test
    popular = np.argsort(-np.asarray(seen.sum(axis=0)).ravel())[:10]
    hits = [0.0, 0.0]
    for cluster in np.unique(medium.user_cluster):
        members = medium.user_cluster == cluster
        own = np.argsort(-np.asarray(seen[members].sum(axis=0)).ravel())[:10]
        hits[0] += test[members][:, popular].sum()
        hits[1] += test[members][:, own].sum()
    assert hits[1] > 1.8 * hits[0]


def test_features_follow_the_cluster_in_part(medium: SyntheticData) -> None:
    ages = medium.users["age"].to_numpy()
    in_first = pl.Series(ages[medium.user_cluster == 0]).value_counts(sort=True)["count"]
    assert 0.4 < in_first[0] / in_first.sum() < 0.8
    assert set(medium.users.columns) == {"user_id", "age", "income", "sex", "kids_flg"}
    assert {"content_type", "title", "release_year", "countries", "age_rating"} < set(medium.items.columns)
    assert medium.items["categories"].list.len().is_between(1, 3).all()
    assert medium.items["title"].is_unique().all()


@pytest.mark.parametrize(
    "shape",
    [
        {"users": 9},
        {"items": 9},
        {"clusters": 0},
        {"users": 100, "items": 20, "interactions": 99},
        {"users": 100, "items": 20, "interactions": 1_001},
    ],
)
def test_a_shape_that_cannot_be_is_refused(shape: dict[str, int]) -> None:
    with pytest.raises(DataError):
        SyntheticShape(**shape)


def test_a_crowded_shape_still_has_no_pair_twice() -> None:
    data = generate(SyntheticShape(users=30, items=12, interactions=180, clusters=3))
    pairs = data.interactions.select("user_id", "item_id")
    assert pairs.n_unique() == pairs.height == 180


def test_the_default_shape_is_that_of_kion() -> None:
    data = generate()
    rows = data.interactions
    assert rows.height == 5_476_251
    assert rows["user_id"].n_unique() == 962_179
    views = rows["item_id"].value_counts(sort=True)["count"]
    assert len(views) == 15_706
    shares = [views.head(head).sum() / rows.height for head in (10, 100, 1_000)]
    assert shares == pytest.approx([0.187, 0.399, 0.769], abs=0.01)
    distinct = rows.select((pl.col("user_id") * 100_000 + pl.col("item_id")).n_unique()).item()
    assert distinct == rows.height
