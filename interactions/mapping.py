"""Which column of a file means what."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from interactions.columns import ITEM, TIMESTAMP, USER, WEIGHT
from topshelf.errors import MissingColumn


@dataclass(frozen=True)
class ColumnMapping:
    """The columns of an interactions file.

    ``timestamp_format`` is None (numbers are epoch seconds or, from 10^11 on, milliseconds; text is ISO
    8601), "s", "ms" or a strptime pattern such as "%d.%m.%Y". Times without a zone are UTC.
    """

    user: str = USER
    item: str = ITEM
    timestamp: str | None = None
    weight: str | None = None
    timestamp_format: str | None = None


@dataclass(frozen=True)
class ItemMapping:
    """The columns of an items file; those in ``features`` that the file lacks are left out.

    ``features`` None takes every other column. ``numbers`` are the features that hold integers.
    ``year_in_title`` takes "(1995)" off the title's end and makes it the feature release_year.
    """

    item: str = ITEM
    title: str | None = None
    categories: str | None = None
    category_separator: str = "|"
    flags: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    numbers: tuple[str, ...] = ()
    year_in_title: bool = False


@dataclass(frozen=True)
class UserMapping:
    """The columns of a users file; ``features`` None takes every other column."""

    user: str = USER
    features: tuple[str, ...] | None = None
    numbers: tuple[str, ...] = ()


USER_NAMES: Final = (USER, "user", "userid", "uid", "customer_id", "visitorid", "session_id")
ITEM_NAMES: Final = (ITEM, "item", "itemid", "iid", "movie_id", "movieid", "product_id", "track_id")
TIMESTAMP_NAMES: Final = (TIMESTAMP, "time", "datetime", "date", "ts", "last_watch_dt", "created_at")
WEIGHT_NAMES: Final = (WEIGHT, "rating", "score", "count", "value", "watched_pct", "total_dur")
TITLE_NAMES: Final = ("title", "name", "movie_title", "item_title")
CATEGORY_NAMES: Final = ("categories", "category", "genres", "genre", "class")


def guess_mapping(columns: Iterable[str]) -> ColumnMapping:
    """The mapping that usual names such as userId or rating suggest.

    Raises:
        MissingColumn: when no column looks like a user or an item; lists those there.
    """
    columns = list(columns)
    user, item = find_column(columns, USER_NAMES), find_column(columns, ITEM_NAMES)
    if user is None or item is None:
        lacking = "user" if user is None else "item"
        raise MissingColumn(f"no column looks like the {lacking} id; there are {', '.join(columns)}")
    return ColumnMapping(
        user, item, find_column(columns, TIMESTAMP_NAMES), find_column(columns, WEIGHT_NAMES)
    )


def guess_item_mapping(columns: Iterable[str]) -> ItemMapping:
    """The mapping of an items file that usual names suggest.

    Raises:
        MissingColumn: when no column looks like an item id; lists those there.
    """
    columns = list(columns)
    item = find_column(columns, (*ITEM_NAMES, "id"))
    if item is None:
        raise MissingColumn(f"no column looks like the item id; there are {', '.join(columns)}")
    return ItemMapping(item, find_column(columns, TITLE_NAMES), find_column(columns, CATEGORY_NAMES))


def guess_user_mapping(columns: Iterable[str]) -> UserMapping:
    """The mapping of a users file that usual names suggest.

    Raises:
        MissingColumn: when no column looks like a user id; lists those there.
    """
    columns = list(columns)
    user = find_column(columns, (*USER_NAMES, "id"))
    if user is None:
        raise MissingColumn(f"no column looks like the user id; there are {', '.join(columns)}")
    return UserMapping(user)


def find_column(columns: list[str], names: Iterable[str]) -> str | None:
    """The first column called one of ``names``, in order of the names, capitals and underscores aside."""
    plain = {_plain(column): column for column in reversed(columns)}
    return next((plain[_plain(name)] for name in names if _plain(name) in plain), None)


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "").replace("-", "").replace(" ", "")
