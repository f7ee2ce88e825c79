from pathlib import Path

import polars as pl
import pytest

from interactions.datasets import Datasets
from interactions.ingest import ingest
from interactions.kion_files import write_kion
from interactions.synthetic import SyntheticShape, generate
from topshelf.errors import DataError


def test_what_is_written_is_read_back_by_the_preset(datasets: Datasets, tmp_path: Path) -> None:
    data = generate(SyntheticShape.of_users(300))
    write_kion(data, tmp_path / "kion")
    report = ingest(datasets, tmp_path / "kion", reject_share=0.0)
    dataset = report.dataset
    assert report.n_rejects == 0
    assert dataset.manifest.source == "kion: interactions.csv"
    direct = datasets.create(data.interactions, items=data.items, users=data.users)
    assert (dataset.matrix().toarray() == direct.matrix().toarray()).all()
    assert dataset.titles() == direct.titles()
    assert dataset.categories_of_items() == direct.categories_of_items()
    users, expected = dataset.user_features(), direct.user_features()
    assert users is not None
    assert expected is not None
    assert users.equals(expected.with_columns(pl.col("kids_flg").cast(pl.Int32)))


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        write_kion(generate(SyntheticShape.of_users(10)), tmp_path / "file")
