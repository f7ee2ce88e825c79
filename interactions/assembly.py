"""Rows with external ids made into the tables and matrices of a dataset version."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from interactions.columns import (
    CATEGORIES,
    EVENT,
    ITEM,
    ITEM_INDEX,
    TIMESTAMP,
    TITLE,
    USER,
    USER_INDEX,
    WEIGHT,
)
from interactions.id_map import IdKind
from interactions.manifest import Feedback
from interactions.pairs import category_matrix, pair_matrix
from interactions.version_files import VersionContent, category_names
from topshelf.errors import DataError, EmptyData, InvalidId, MissingColumn

INSTANT = pl.Datetime("us")


@dataclass(frozen=True)
class IdRules:
    """The ids a dataset takes; "auto" goes by the column's type. No int64 id is below 0."""

    user_kind: IdKind
    item_kind: IdKind
    user_id_max: int | None = None


def id_kind(dtype: pl.DataType, declared: str, column: str) -> IdKind:
    """The kind of an id column, checked against the ``declared`` one ("auto" takes what is there).

    Raises:
        InvalidId: when the column is neither int64 nor string, or not as declared.
    """
    if not dtype.is_integer() and dtype != pl.String:
        raise InvalidId(f"{column} holds {dtype}; ids are integers or strings")
    kind: IdKind = "string" if dtype == pl.String else "int64"
    if declared not in ("auto", kind):
        raise InvalidId(f"{column} holds {kind} ids, the dataset declares {declared}")
    return kind


def id_rules(frame: pl.DataFrame, user_id_type: str, item_id_type: str, user_id_max: int | None) -> IdRules:
    """What ``frame`` says about its ids, checked against the declared types.

    Raises:
        MissingColumn: when there is no user_id or no item_id; lists the columns there.
        InvalidId: when a column is not of its declared type.
    """
    for column in (USER, ITEM):
        if column not in frame.columns:
            raise MissingColumn(f"there is no column {column!r}; there are {', '.join(frame.columns)}")
    return IdRules(
        id_kind(frame.schema[USER], user_id_type, USER),
        id_kind(frame.schema[ITEM], item_id_type, ITEM),
        user_id_max,
    )


def checked_rows(frame: pl.DataFrame, rules: IdRules) -> pl.DataFrame:
    """The rows as user_id, item_id, timestamp, weight, event_id, all typed; a missing weight column is 1.

    Without a timestamp column the rows keep their order, a second apart from the start of 1970.

    Raises:
        EmptyData, InvalidId: when there are no rows, or an id is missing or out of range.
        DataError: when a weight is not finite or a timestamp is missing.
    """
    if not frame.height:
        raise EmptyData("there are no interactions")
    rows = frame.select(
        _id_column(rules.user_kind, USER),
        _id_column(rules.item_kind, ITEM),
        _timestamp(frame),
        (pl.col(WEIGHT) if WEIGHT in frame.columns else pl.lit(1.0)).cast(pl.Float32).alias(WEIGHT),
        (pl.col(EVENT) if EVENT in frame.columns else pl.lit(None)).cast(pl.String).alias(EVENT),
    )
    _check_ids(rows[USER], rules.user_id_max)
    _check_ids(rows[ITEM], None)
    if rows[WEIGHT].null_count() or not rows[WEIGHT].is_finite().all():
        raise DataError("a weight is missing, NaN or infinite")
    if rows[TIMESTAMP].null_count():
        raise DataError("a timestamp is missing")
    return rows


def assemble(
    rows: pl.DataFrame,
    *,
    items: pl.DataFrame | None,
    users: pl.DataFrame | None,
    rejects: pl.DataFrame | None,
    feedback: Feedback,
) -> VersionContent:
    """Index the checked ``rows`` by ascending external id and lay out the tables around them.

    Users of whom nothing but features is known belong to the dataset, for models that can do with those;
    rows of ``items`` about ids that nobody took are left out.

    Raises:
        InvalidId: when ``items`` or ``users`` hold an id twice, or of another type than the rows.
    """
    user_table = _entity_table(rows[USER], users, USER, how="full")
    item_table = _item_columns(_entity_table(rows[ITEM], items, ITEM, how="left"))
    indexed = rows.with_columns(
        _index_of(rows[USER], user_table[USER], USER_INDEX),
        _index_of(rows[ITEM], item_table[ITEM], ITEM_INDEX),
    )
    indexed = indexed.select(USER_INDEX, ITEM_INDEX, WEIGHT, TIMESTAMP, EVENT).sort(
        USER_INDEX, TIMESTAMP, ITEM_INDEX, WEIGHT, EVENT
    )
    names = category_names(item_table)
    return VersionContent(
        interactions=indexed,
        users=user_table,
        items=item_table,
        matrix=pair_matrix(
            indexed[USER_INDEX].to_numpy(),
            indexed[ITEM_INDEX].to_numpy(),
            indexed[WEIGHT].to_numpy(),
            (user_table.height, item_table.height),
            feedback,
        ),
        categories=category_matrix(item_table[CATEGORIES].to_list(), names),
        rejects=rejects,
    )


def _id_column(kind: IdKind, column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String if kind == "string" else pl.Int64)


def _timestamp(frame: pl.DataFrame) -> pl.Expr:
    if TIMESTAMP not in frame.columns:
        seconds = np.arange(frame.height, dtype=np.int64) * 1_000_000
        return pl.lit(pl.Series(TIMESTAMP, seconds).cast(INSTANT))
    dtype = frame.schema[TIMESTAMP]
    if not isinstance(dtype, pl.Datetime | pl.Date):
        raise DataError(f"the timestamps are {dtype}; dates or datetimes are wanted")
    column = pl.col(TIMESTAMP)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(INSTANT)


def _check_ids(ids: pl.Series, highest: int | None) -> None:
    if ids.null_count():
        raise InvalidId(f"a {ids.name} is missing")
    if ids.dtype == pl.Int64:
        if (ids < 0).any():
            raise InvalidId(f"a {ids.name} is negative")
        if highest is not None and (ids > highest).any():
            raise InvalidId(f"a {ids.name} is above {highest}, the highest the dataset declares")


def _entity_table(
    ids: pl.Series, features: pl.DataFrame | None, key: str, *, how: Literal["left", "full"]
) -> pl.DataFrame:
    distinct = ids.unique().sort().to_frame()
    if features is None:
        return distinct
    if key not in features.columns:
        raise MissingColumn(f"there is no column {key!r}; there are {', '.join(features.columns)}")
    id_kind(features.schema[key], "string" if ids.dtype == pl.String else "int64", key)
    features = features.with_columns(pl.col(key).cast(ids.dtype))
    if features[key].is_duplicated().any():
        raise InvalidId(f"a {key} stands in two rows of features")
    if how == "left" or len(features.columns) == 1:
        return distinct.join(features, on=key, how="left", maintain_order="left")
    known = features.filter(pl.col(key).is_not_null())
    return distinct.join(known, on=key, how="full", coalesce=True).sort(key)


def _item_columns(table: pl.DataFrame) -> pl.DataFrame:
    titled = [pl.col(TITLE).cast(pl.String)] if TITLE in table.columns else []
    categories = pl.col(CATEGORIES) if CATEGORIES in table.columns else pl.lit(None)
    return table.with_columns(
        *titled,
        categories.cast(pl.List(pl.String))
        .fill_null(pl.lit([], dtype=pl.List(pl.String)))
        .list.drop_nulls()
        .list.unique(maintain_order=True)
        .alias(CATEGORIES),
    )


def _index_of(ids: pl.Series, distinct: pl.Series, name: str) -> pl.Series:
    table = pl.DataFrame({"id": distinct, name: np.arange(len(distinct), dtype=np.uint32)})
    return ids.to_frame("id").join(table, on="id", how="left", maintain_order="left")[name]
