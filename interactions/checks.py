"""Raw rows told apart: those fit for a dataset, and rejects with a reason each."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from interactions.assembly import INSTANT
from interactions.columns import EVENT, ITEM, REASON, ROW, TIMESTAMP, USER, WEIGHT
from interactions.id_map import IdKind
from interactions.mapping import ColumnMapping
from interactions.tables import RawTable
from interactions.timestamps import parse_timestamps

CANONICAL_INTEGER: Final = r"^(0|-?[1-9][0-9]*)$"
LARGEST_WEIGHT: Final = 3.4e38
"""Weights are kept as float32."""


@dataclass(frozen=True, eq=False)
class Column:
    """Parsed values and, where a value cannot be used, the reason (null where it can)."""

    values: pl.Series
    faults: pl.Series


def id_column(raw: pl.Series, name: str, kind: str, highest: int | None) -> tuple[Column, IdKind]:
    """Ids of one kind; "auto" takes int64 where every id reads back as the integer it is, else string."""
    if raw.dtype.is_integer() and kind != "string":
        return _integer_ids(raw, raw.cast(pl.Int64, strict=False).alias(name), highest), "int64"
    text = _id_text(raw)
    chosen = _id_kind(text) if kind == "auto" else kind
    if chosen == "string":
        return Column(text.alias(name), _faults((text.is_null(), f"missing {name}"))), "string"
    return _integer_ids(text, text.cast(pl.Int64, strict=False).alias(name), highest), "int64"


def weight_column(raw: pl.Series) -> Column:
    """Finite float32 weights."""
    text = raw if raw.dtype.is_numeric() else _blank_to_null(raw)
    values = text.cast(pl.Float64, strict=False)
    faults = _faults(
        (text.is_null(), "missing weight"),
        (values.is_null(), "weight is not a number"),
        (~(values.is_finite() & (values.abs() <= LARGEST_WEIGHT)), "weight is NaN or infinite"),
    )
    return Column(values.set(faults.is_not_null(), None).cast(pl.Float32).alias(WEIGHT), faults)


def timestamp_column(raw: pl.Series, form: str | None) -> Column:
    """Instants in UTC, Datetime(us)."""
    text = _blank_to_null(raw) if raw.dtype == pl.String else raw
    values = parse_timestamps(text, form).alias(TIMESTAMP)
    unread = f"timestamp is not of the form {form}" if form else "unreadable timestamp"
    return Column(values, _faults((text.is_null(), "missing timestamp"), (values.is_null(), unread)))


def line_order(height: int) -> pl.Series:
    """Times that only keep the rows' order: a second apart from the start of 1970."""
    seconds = pl.int_range(height, dtype=pl.Int64, eager=True) * 1_000_000
    return seconds.cast(INSTANT).alias(TIMESTAMP)


@dataclass(frozen=True, eq=False)
class CheckedRows:
    """``frame``: user_id, item_id, timestamp, weight of the rows fit, and event_id where the file has it.

    ``rejects``: row, reason and the raw columns as text.
    """

    frame: pl.DataFrame
    rejects: pl.DataFrame
    user_kind: IdKind
    item_kind: IdKind


def check_rows(
    table: RawTable, mapping: ColumnMapping, *, user_kind: str, item_kind: str, user_id_max: int | None
) -> CheckedRows:
    """Parse the mapped columns of ``table``; a row is rejected for the first fault found.

    A row that repeats an earlier one's user, item and time is a duplicate; without a timestamp column
    nothing is.
    """
    raw = table.frame
    users, user_kind_found = id_column(raw[mapping.user], USER, user_kind, user_id_max)
    items, item_kind_found = id_column(raw[mapping.item], ITEM, item_kind, None)
    columns = [users, items]
    if mapping.timestamp is not None:
        columns.append(timestamp_column(raw[mapping.timestamp], mapping.timestamp_format))
    else:
        columns.append(Column(line_order(raw.height), no_faults(raw.height)))
    if mapping.weight is not None:
        columns.append(weight_column(raw[mapping.weight]))
    faults = first_fault([_faults((table.surplus, "more fields than columns")), *(c.faults for c in columns)])
    frame = pl.DataFrame([column.values for column in columns])
    if WEIGHT not in frame.columns:
        frame = frame.with_columns(pl.lit(1.0, pl.Float32).alias(WEIGHT))
    if EVENT in raw.columns:
        frame = frame.with_columns(raw[EVENT].cast(pl.String))
    if mapping.timestamp is not None:
        faults = mark_repeats(frame, [USER, ITEM, TIMESTAMP], faults, "duplicate of an earlier row")
    return CheckedRows(
        frame.filter(faults.is_null()), rejected_rows(table, faults), user_kind_found, item_kind_found
    )


def no_faults(height: int) -> pl.Series:
    """A column of faults without any."""
    return pl.repeat(None, height, dtype=pl.String, eager=True)


def first_fault(faults: list[pl.Series]) -> pl.Series:
    """Per row the first of several columns of faults."""
    return pl.DataFrame([one.alias(str(n)) for n, one in enumerate(faults)]).select(
        pl.coalesce(pl.all().cast(pl.String)).alias(REASON)
    )[REASON]


def mark_repeats(frame: pl.DataFrame, keys: list[str], faults: pl.Series, reason: str) -> pl.Series:
    """``faults`` with ``reason`` at each faultless row whose ``keys`` an earlier faultless row has."""
    place = "place"
    fit = frame.select(keys).with_row_index(place).filter(faults.is_null())
    firsts = fit.unique(subset=keys, keep="first")[place]
    if len(firsts) == fit.height:
        return faults
    later = fit[place].filter(~fit[place].is_in(firsts.implode()))
    return faults.scatter(later, [reason] * len(later))


def rejected_rows(table: RawTable, faults: pl.Series) -> pl.DataFrame:
    """The rows with a fault: row, reason and the raw columns as text."""
    at_fault = faults.is_not_null()
    raw = table.frame.filter(at_fault)
    flat = [column for column in raw.columns if not raw.schema[column].is_nested()]
    text = raw.select(pl.col(flat).cast(pl.String, strict=False)) if flat else raw.select()
    taken: dict[str, str] = {name: f"raw_{name}" for name in (ROW, REASON) if name in flat}
    return pl.DataFrame(
        [table.lines.filter(at_fault).alias(ROW), faults.filter(at_fault).alias(REASON)]
    ).hstack(text.rename(taken))


def _integer_ids(raw: pl.Series, values: pl.Series, highest: int | None) -> Column:
    name = values.name
    faults = _faults(
        (raw.is_null(), f"missing {name}"),
        (values.is_null(), f"{name} is not an int64"),
        (values < 0, f"{name} is negative"),
        (values > highest if highest is not None else None, f"{name} is above {highest}"),
    )
    return Column(values, faults)


def _id_kind(text: pl.Series) -> IdKind:
    present = text.drop_nulls()
    canonical = present.str.contains(CANONICAL_INTEGER) & present.cast(pl.Int64, strict=False).is_not_null()
    return "int64" if len(present) and bool(canonical.all()) else "string"


def _id_text(raw: pl.Series) -> pl.Series:
    """Ids as text, blank ones null; whole floats, as other tools write integers, lose their fraction."""
    if raw.dtype.is_integer():
        return raw.cast(pl.String)
    if raw.dtype.is_float():
        frame = raw.alias("id").to_frame()
        whole = pl.col("id").cast(pl.Int64, strict=False).cast(pl.String)
        return frame.select(
            pl.when(pl.col("id").is_nan())
            .then(None)
            .when(pl.col("id") == pl.col("id").round())
            .then(whole)
            .otherwise(pl.col("id").cast(pl.String))
        ).to_series()
    return _blank_to_null(raw)


def _blank_to_null(raw: pl.Series) -> pl.Series:
    text = raw.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def _faults(*cases: tuple[pl.Series | None, str]) -> pl.Series:
    """Per row the reason of the first case that holds, else null."""
    named = [(case, reason) for case, reason in cases if case is not None]
    frame = pl.DataFrame([case.fill_null(value=False).alias(str(n)) for n, (case, _) in enumerate(named)])
    reasons = [pl.when(pl.col(str(n))).then(pl.lit(reason)) for n, (_, reason) in enumerate(named)]
    return frame.select(pl.coalesce(reasons).alias(REASON))[REASON]
