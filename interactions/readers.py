"""Interactions, items and users out of files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from interactions.checks import (
    CANONICAL_INTEGER,
    check_rows,
    first_fault,
    id_column,
    mark_repeats,
    no_faults,
    rejected_rows,
)
from interactions.columns import CATEGORIES, ITEM, TITLE, USER
from interactions.id_map import IdKind
from interactions.mapping import ColumnMapping, ItemMapping, UserMapping
from interactions.tables import RawTable, TextLayout, read_table

YEAR: Final = "release_year"
YEAR_AT_END: Final = r"^(.*\S)\s*\((\d{4})\)\s*$"


@dataclass(frozen=True, eq=False)
class Readout:
    """What an interactions file holds.

    ``frame`` has user_id, item_id, timestamp and weight of the rows fit, in file order; it may be empty.
    ``rejects`` has row (the line in the file, from 1), reason and the raw columns as text.
    """

    frame: pl.DataFrame
    rejects: pl.DataFrame
    user_id_type: IdKind
    item_id_type: IdKind
    has_timestamps: bool

    @property
    def n_rows(self) -> int:
        return self.frame.height + self.rejects.height


@dataclass(frozen=True, eq=False)
class EntityReadout:
    """What an items or users file holds: ``frame`` with the id and its features, ``rejects`` as above."""

    frame: pl.DataFrame
    rejects: pl.DataFrame


def read_interactions(
    path: Path,
    mapping: ColumnMapping,
    *,
    layout: TextLayout | None = None,
    user_id_type: str = "auto",
    item_id_type: str = "auto",
    user_id_max: int | None = None,
) -> Readout:
    """Read a CSV, TSV or Parquet file of interactions; bad rows are told apart, never dropped in silence.

    Id types are "int64", "string" or "auto" (int64 where every id is an integer). Without a timestamp
    column the times only keep the rows' order.

    Raises:
        UnreadableFile, EmptyData: when there is nothing to read.
        MissingColumn: when a mapped column is not there; lists those that are.
    """
    table = read_table(Path(path), layout)
    named = (mapping.user, mapping.item, mapping.timestamp, mapping.weight)
    table.require([column for column in named if column is not None])
    rows = check_rows(table, mapping, user_kind=user_id_type, item_kind=item_id_type, user_id_max=user_id_max)
    return Readout(rows.frame, rows.rejects, rows.user_kind, rows.item_kind, mapping.timestamp is not None)


def read_items(
    path: Path, mapping: ItemMapping, kind: IdKind, layout: TextLayout | None = None
) -> EntityReadout:
    """Read item_id, title, categories (lists of str) and features; a repeated id is rejected.

    Raises:
        UnreadableFile, EmptyData, MissingColumn: as ``read_interactions`` does.
    """
    table = read_table(Path(path), layout)
    table.require([name for name in (mapping.item, mapping.title, mapping.categories) if name is not None])
    table.require(mapping.flags)
    ids, faults = _entity_ids(table, mapping.item, ITEM, kind)
    taken = {mapping.item, mapping.title, mapping.categories, *mapping.flags}
    columns = [ids]
    if mapping.title is not None:
        columns += _titles(table.frame[mapping.title], with_year=mapping.year_in_title)
    if mapping.categories is not None:
        columns.append(_split(table.frame[mapping.categories], mapping.category_separator))
    elif mapping.flags:
        columns.append(_flagged(table.frame, mapping.flags))
    columns += _features(
        table.frame, mapping.features, mapping.numbers, taken | {one.name for one in columns}
    )
    return EntityReadout(pl.DataFrame(columns).filter(faults.is_null()), rejected_rows(table, faults))


def read_users(
    path: Path, mapping: UserMapping, kind: IdKind, layout: TextLayout | None = None
) -> EntityReadout:
    """Read user_id and features; a repeated id is rejected.

    Raises:
        UnreadableFile, EmptyData, MissingColumn: as ``read_interactions`` does.
    """
    table = read_table(Path(path), layout)
    table.require([mapping.user])
    ids, faults = _entity_ids(table, mapping.user, USER, kind)
    columns = [ids, *_features(table.frame, mapping.features, mapping.numbers, {mapping.user, USER})]
    return EntityReadout(pl.DataFrame(columns).filter(faults.is_null()), rejected_rows(table, faults))


def _entity_ids(table: RawTable, column: str, name: str, kind: IdKind) -> tuple[pl.Series, pl.Series]:
    ids, _ = id_column(table.frame[column], name, kind, None)
    surplus = no_faults(table.frame.height).set(table.surplus, "more fields than columns")
    faults = first_fault([surplus, ids.faults])
    return ids.values, mark_repeats(ids.values.to_frame(), [name], faults, f"duplicate {name}")


def _titles(raw: pl.Series, *, with_year: bool) -> list[pl.Series]:
    text = raw.cast(pl.String).str.strip_chars().alias(TITLE)
    text = text.set(text == "", None)
    if not with_year:
        return [text]
    year = text.str.extract(YEAR_AT_END, 2).cast(pl.Int32, strict=False).alias(YEAR)
    return [text.str.replace(YEAR_AT_END, "$1"), year]


def _split(raw: pl.Series, separator: str) -> pl.Series:
    if isinstance(raw.dtype, pl.List):
        return raw.cast(pl.List(pl.String)).alias(CATEGORIES)
    parts = pl.col(CATEGORIES).str.split(separator).list.eval(pl.element().str.strip_chars())
    kept = parts.list.eval(pl.element().filter(pl.element() != ""))
    return raw.cast(pl.String).alias(CATEGORIES).to_frame().select(kept)[CATEGORIES]


def _flagged(frame: pl.DataFrame, flags: tuple[str, ...]) -> pl.Series:
    names = [pl.when(pl.col(flag).cast(pl.String) == "1").then(pl.lit(flag)) for flag in flags]
    return frame.select(pl.concat_list(names).list.drop_nulls().alias(CATEGORIES))[CATEGORIES]


def _features(
    frame: pl.DataFrame, wanted: tuple[str, ...] | None, numbers: tuple[str, ...], taken: set[str | None]
) -> list[pl.Series]:
    names = frame.columns if wanted is None else [name for name in wanted if name in frame.columns]
    columns = []
    for name in names:
        if name in taken:
            continue
        values = frame[name]
        if name in numbers or (wanted is None and _all_integers(values)):
            values = values.cast(pl.Float64, strict=False).cast(pl.Int32, strict=False)
        columns.append(values)
    return columns


def _all_integers(values: pl.Series) -> bool:
    if values.dtype != pl.String:
        return False
    present = values.drop_nulls()
    return len(present) > 0 and bool(
        (present.str.contains(CANONICAL_INTEGER) & present.cast(pl.Int32, strict=False).is_not_null()).all()
    )
