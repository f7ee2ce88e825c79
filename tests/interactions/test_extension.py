from datetime import datetime, timedelta

import polars as pl
import pytest

from interactions.dataset import Dataset
from interactions.datasets import Datasets
from topshelf.errors import MissingColumn

ROWS = pl.DataFrame({"user_id": [1, 2], "item_id": ["5", "6"]})


def event(event_id: str | None, user: int, item: str, day: int) -> dict[str, object]:
    return {
        "event_id": event_id,
        "user_id": user,
        "item_id": item,
        "timestamp": f"2024-02-{day:02}T10:00:00Z",
        "weight": 1.0,
    }


def test_events_extend_a_dataset_with_new_users_and_items(datasets: Datasets, small: Dataset) -> None:
    events = pl.DataFrame([event("e1", 10, "c", 1), event("e2", 15, "new", 2)])
    longer = datasets.extend(small, events)
    assert longer.manifest.parent == small.version
    assert longer.manifest.n_interactions == 7
    assert longer.users.external.tolist() == [10, 15, 20, 30]
    assert longer.titles() == ["a", "b", "Sea", "new"]
    assert longer.manifest.category_names == ("x", "y")
    assert longer.manifest.cut_off == "2024-02-02T10:00:00.000000Z"
    assert datasets.open(small.version, verify=True).manifest.n_interactions == 5


def test_an_event_counts_once_however_often_it_comes(datasets: Datasets, small: Dataset) -> None:
    events = pl.DataFrame([event("e1", 10, "c", 1), event("e1", 10, "c", 1)])
    longer = datasets.extend(small, events)
    assert longer.manifest.n_interactions == 6
    again = datasets.extend(longer, pl.DataFrame([event("e1", 10, "c", 1), event("e3", 10, "a", 3)]))
    assert again.manifest.n_interactions == 7
    assert sorted(again.event_ids()) == ["e1", "e3"]


def test_nothing_new_gives_the_base_back(datasets: Datasets, small: Dataset) -> None:
    longer = datasets.extend(small, pl.DataFrame([event("e1", 10, "c", 1)]))
    assert datasets.extend(longer, pl.DataFrame([event("e1", 10, "c", 1)])).version == longer.version
    nobody = pl.DataFrame([event(None, 10, "c", 1)], schema_overrides={"event_id": pl.String})
    assert datasets.extend(longer, nobody).version == longer.version


def test_unfit_events_are_rejected_and_the_others_kept(datasets: Datasets, small: Dataset) -> None:
    events = pl.DataFrame([event("e1", -3, "c", 1), event("e2", 10, "c", 2)])
    longer = datasets.extend(small, events)
    assert longer.manifest.n_interactions == 6
    rejects = pl.read_csv(longer.path / "rejects.csv")
    assert rejects["reason"].to_list() == ["user_id is negative"]


def test_events_without_their_columns_are_refused(datasets: Datasets, small: Dataset) -> None:
    with pytest.raises(MissingColumn, match="event_id"):
        datasets.extend(small, pl.DataFrame({"user_id": [1]}))


def test_events_follow_rows_that_only_keep_an_order(datasets: Datasets) -> None:
    base = datasets.create(ROWS)
    assert not base.manifest.has_timestamps
    longer = datasets.extend(base, pl.DataFrame([event("e1", 1, "9", 1)]))
    newest = longer.interactions()["timestamp"].max()
    assert isinstance(newest, datetime)
    assert newest - datetime(2024, 2, 1) < timedelta(days=1)
