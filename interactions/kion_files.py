"""Synthetic data written as the three files of the KION data set."""

from pathlib import Path

import polars as pl

from interactions.columns import CATEGORIES, ITEM, TIMESTAMP, TITLE, USER, WEIGHT
from interactions.synthetic import SyntheticData
from topshelf.errors import DataError


def write_kion(data: SyntheticData, folder: Path) -> None:
    """Write interactions.csv, users.csv and items.csv, which the preset ``kion`` reads back.

    Days are kept of the times, as in KION.

    Raises:
        DataError: when the folder cannot be written to.
    """
    views = data.interactions.select(
        USER,
        ITEM,
        pl.col(TIMESTAMP).dt.date().alias("last_watch_dt"),
        "total_dur",
        pl.col(WEIGHT).cast(pl.Int32).alias("watched_pct"),
    )
    items = data.items.select(
        ITEM,
        "content_type",
        TITLE,
        pl.col(TITLE).alias("title_orig"),
        "release_year",
        pl.col(CATEGORIES).list.join(", ").alias("genres"),
        "countries",
        "for_kids",
        "age_rating",
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        views.write_csv(folder / "interactions.csv")
        data.users.write_csv(folder / "users.csv")
        items.write_csv(folder / "items.csv")
    except OSError as exc:
        raise DataError(f"the synthetic data cannot be written to {folder}: {exc}") from exc
