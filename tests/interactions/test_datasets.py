import json
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from interactions.dataset import Dataset
from interactions.datasets import Datasets
from topshelf.errors import CorruptDataset, DataError, DatasetNotFound, EmptyData, InvalidId, MissingColumn

ROWS = pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6]})


def folders(datasets: Datasets) -> list[str]:
    return sorted(path.name for path in datasets.root.iterdir()) if datasets.root.exists() else []


def test_a_manifest_counts_what_the_version_holds(small: Dataset) -> None:
    manifest = small.manifest
    assert (manifest.n_users, manifest.n_items, manifest.n_interactions) == (3, 3, 5)
    assert (manifest.user_id_type, manifest.item_id_type) == ("int64", "string")
    assert manifest.cut_off == "2024-01-05T00:00:00.000000Z"
    assert manifest.density == pytest.approx(4 / 9)
    assert set(manifest.checksums) == {path.name for path in small.path.iterdir()} - {"manifest.json"}


def test_an_opened_version_is_the_one_created(datasets: Datasets, small: Dataset) -> None:
    opened = datasets.open(small.version, verify=True)
    assert opened.manifest == small.manifest
    assert opened.interactions().equals(small.interactions())


def test_the_same_content_is_the_same_version(datasets: Datasets) -> None:
    first = datasets.create(ROWS)
    assert datasets.create(ROWS).version == first.version
    assert folders(datasets) == [first.version]


def test_the_order_of_timed_rows_is_no_content(datasets: Datasets) -> None:
    timed = ROWS.with_columns(pl.lit(datetime(2024, 1, 1)).alias("timestamp"))
    assert datasets.create(timed).version == datasets.create(timed.reverse()).version


@pytest.mark.parametrize(
    "other",
    [
        ROWS.with_columns(weight=pl.lit(2.0)),
        ROWS.with_columns(pl.col("item_id") + 1),
        ROWS.with_columns(pl.col("user_id").cast(pl.String)),
        ROWS.reverse(),
    ],
)
def test_other_content_is_another_version(datasets: Datasets, other: pl.DataFrame) -> None:
    assert datasets.create(ROWS).version != datasets.create(other).version


def test_a_feature_changed_is_another_version(datasets: Datasets) -> None:
    versions = {
        datasets.create(ROWS, items=pl.DataFrame({"item_id": [5], "title": [title]})).version
        for title in ("A", "B")
    }
    assert len(versions) == 2


def test_the_latest_is_the_one_created_last(datasets: Datasets) -> None:
    datasets.create(ROWS)
    second = datasets.create(ROWS.with_columns(weight=pl.lit(2.0)))
    assert datasets.latest().version == second.version
    assert datasets.versions()[0].version == second.version


def test_no_dataset_yet_is_said(datasets: Datasets) -> None:
    assert datasets.versions() == []
    with pytest.raises(DatasetNotFound, match="ingest one first"):
        datasets.latest()


@pytest.mark.parametrize("version", ["20240101T000000Z-00000000", "..", "../../etc", ""])
def test_a_version_that_does_not_exist_is_not_found(datasets: Datasets, small: Dataset, version: str) -> None:
    with pytest.raises(DatasetNotFound, match=small.version):
        datasets.open(version)


def test_a_missing_file_is_corruption(datasets: Datasets, small: Dataset) -> None:
    (small.path / "users.parquet").unlink()
    with pytest.raises(CorruptDataset, match=r"users\.parquet is missing"):
        datasets.open(small.version)


def test_a_shortened_file_is_corruption(datasets: Datasets, small: Dataset) -> None:
    path = small.path / "interactions.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptDataset, match="bytes"):
        datasets.open(small.version)


def test_a_flipped_bit_is_found_by_verifying(datasets: Datasets, small: Dataset) -> None:
    path = small.path / "matrix.npz"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    datasets.open(small.version)
    with pytest.raises(CorruptDataset, match="checksum"):
        datasets.open(small.version, verify=True)


@pytest.mark.parametrize("text", ["", "{", '{"version": "x"}'])
def test_a_broken_manifest_is_corruption(datasets: Datasets, small: Dataset, text: str) -> None:
    (small.path / "manifest.json").write_text(text)
    with pytest.raises(CorruptDataset):
        datasets.open(small.version)


def test_a_corrupt_version_is_not_taken_for_the_same_content(datasets: Datasets) -> None:
    first = datasets.create(ROWS)
    (first.path / "matrix.npz").write_bytes(b"")
    while f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}" in first.version:
        time.sleep(0.05)
    second = datasets.create(ROWS)
    assert second.version != first.version
    assert second.matrix().nnz == 2


@pytest.mark.parametrize(
    ("frame", "error", "told"),
    [
        (ROWS.drop("item_id"), MissingColumn, "user_id"),
        (ROWS.clear(), EmptyData, "no interactions"),
        (ROWS.with_columns(user_id=pl.lit(None, pl.Int64)), InvalidId, "missing"),
        (ROWS.with_columns(pl.col("user_id") * -1), InvalidId, "negative"),
        (ROWS.with_columns(pl.col("user_id") * 1.5), InvalidId, "Float64"),
        (ROWS.with_columns(weight=pl.lit(float("nan"))), DataError, "NaN"),
        (ROWS.with_columns(weight=pl.lit(float("inf"))), DataError, "infinite"),
        (ROWS.with_columns(timestamp=pl.lit("yesterday")), DataError, "timestamps"),
        (ROWS.with_columns(timestamp=pl.lit(None, pl.Datetime("us"))), DataError, "timestamp is missing"),
    ],
)
def test_unfit_rows_are_refused_and_nothing_is_written(
    datasets: Datasets, frame: pl.DataFrame, error: type[DataError], told: str
) -> None:
    with pytest.raises(error, match=told):
        datasets.create(frame)
    assert folders(datasets) == []


def test_declared_ids_are_held_to(datasets: Datasets) -> None:
    with pytest.raises(InvalidId, match="declares string"):
        datasets.create(ROWS, user_id_type="string")
    with pytest.raises(InvalidId, match="above 1"):
        datasets.create(ROWS, user_id_max=1)


def test_features_may_not_name_an_id_twice(datasets: Datasets) -> None:
    with pytest.raises(InvalidId, match="two rows"):
        datasets.create(ROWS, items=pl.DataFrame({"item_id": [5, 5], "title": ["A", "B"]}))
    with pytest.raises(InvalidId, match="string"):
        datasets.create(ROWS, users=pl.DataFrame({"user_id": ["1"], "age": [3]}))


def test_zoned_times_are_kept_in_utc(datasets: Datasets) -> None:
    noon = pl.Series([datetime(2024, 1, 1, 12)] * 2).dt.replace_time_zone("Asia/Tokyo")
    dataset = datasets.create(ROWS.with_columns(noon.alias("timestamp")))
    assert dataset.manifest.cut_off == "2024-01-01T03:00:00.000000Z"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="no dataset version can be written"):
        Datasets(tmp_path / "file" / "datasets").create(ROWS)


def test_what_a_later_version_adds_to_a_manifest_is_left_out(datasets: Datasets, small: Dataset) -> None:
    path = small.path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "licence": "CC0"}))
    assert datasets.latest().manifest == small.manifest


def test_a_version_that_is_removed_is_gone_and_the_rest_is_whole(datasets: Datasets) -> None:
    removed = datasets.create(ROWS)
    kept = datasets.create(ROWS.head(1))
    datasets.remove(removed.version)
    datasets.remove(removed.version)
    assert [manifest.version for manifest in datasets.versions()] == [kept.version]
    assert [folder.name for folder in datasets.root.iterdir()] == [kept.version]
    assert datasets.open(kept.version, verify=True)
