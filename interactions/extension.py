"""A dataset's rows with new events among them."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from interactions.checks import check_rows
from interactions.columns import EVENT, ITEM, ROW, TIMESTAMP, USER, WEIGHT
from interactions.dataset import Dataset
from interactions.mapping import ColumnMapping
from interactions.tables import RawTable
from topshelf.errors import MissingColumn

ROW_COLUMNS: Final = (USER, ITEM, TIMESTAMP, WEIGHT, EVENT)

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ExtendedTables:
    """What a new version is created from: see ``Datasets.create``."""

    frame: pl.DataFrame
    rejects: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame


def extended_tables(base: Dataset, events: pl.DataFrame) -> ExtendedTables | None:
    """The rows of ``base`` and the ``events`` it does not hold; None where none is new and fit.

    Raises:
        MissingColumn: when ``events`` lacks event_id, user_id, item_id or timestamp.
    """
    for column in (EVENT, USER, ITEM, TIMESTAMP):
        if column not in events.columns:
            raise MissingColumn(
                f"the events have no column {column!r}; they have {', '.join(events.columns)}"
            )
    fresh = events.unique(subset=EVENT, keep="first", maintain_order=True).filter(
        pl.col(EVENT).is_not_null() & ~pl.col(EVENT).is_in(base.event_ids().implode())
    )
    if not fresh.height:
        return None
    held = base.manifest
    weight = WEIGHT if WEIGHT in fresh.columns else None
    checked = check_rows(
        _as_table(fresh),
        ColumnMapping(USER, ITEM, TIMESTAMP, weight),
        user_kind=held.user_id_type,
        item_kind=held.item_id_type,
        user_id_max=held.user_id_max,
    )
    if checked.rejects.height:
        log.warning("%d of %d events cannot be used", checked.rejects.height, fresh.height)
    if not checked.frame.height:
        return None
    return ExtendedTables(
        pl.concat([base.rows(), checked.frame.select(ROW_COLUMNS)]),
        checked.rejects,
        base.item_table(),
        base.user_table(),
    )


def _as_table(events: pl.DataFrame) -> RawTable:
    lines = pl.int_range(1, events.height + 1, dtype=pl.UInt32, eager=True).alias(ROW)
    return RawTable(Path("events"), events, lines, pl.repeat(value=False, n=events.height, eager=True))
