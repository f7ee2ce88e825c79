import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from interactions.datasets import Datasets
from interactions.version_files import ABANDONED_AFTER_SECONDS, building_folder, publish_folder
from topshelf.errors import DataError


def write_half(root: Path) -> None:
    with building_folder(root) as folder:
        (folder / "half").write_text("half")
        raise OSError("disk is full")


def test_an_unfinished_version_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="disk is full"):
        write_half(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_published_folder_stays_and_cannot_be_published_over(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with building_folder(tmp_path) as folder:
        (folder / "file").write_text("first")
        publish_folder(folder, target)
    with building_folder(tmp_path) as folder:
        (folder / "file").write_text("second")
        with pytest.raises(FileExistsError):
            publish_folder(folder, target)
    assert (target / "file").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_dead_writer_left_is_swept_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / ".building-dead", tmp_path / ".building-alive"
    for folder in (dead, alive):
        folder.mkdir()
    os.utime(dead, (0, alive.stat().st_mtime - ABANDONED_AFTER_SECONDS - 1))
    with building_folder(tmp_path):
        pass
    assert not dead.exists()
    assert alive.exists()


def test_unfinished_versions_are_no_versions(datasets: Datasets) -> None:
    (datasets.root / ".building-x").mkdir(parents=True)
    assert datasets.versions() == []


def test_writers_of_the_same_content_at_once_all_get_a_whole_version(datasets: Datasets) -> None:
    rows = pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6]})
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda _: datasets.create(rows), range(8)))
    assert len({dataset.manifest.content for dataset in written}) == 1
    for dataset in written:
        assert datasets.open(dataset.version, verify=True).matrix().nnz == 2
