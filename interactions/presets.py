"""Data sets whose files are known by name and layout."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interactions.manifest import Feedback
from interactions.mapping import ColumnMapping, ItemMapping, UserMapping
from interactions.tables import TextLayout, read_columns
from topshelf.errors import DataError, UnreadableFile

PLAIN: Final = TextLayout()
BY_ITEM_ID: Final = ItemMapping()
BY_USER_ID: Final = UserMapping()
PERSON: Final = ("gender", "age", "occupation", "zip_code")
MOVIELENS_GENRES: Final = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War"),
    "Western",
)


@dataclass(frozen=True)
class Form:
    """One form a data set comes in: per table the names its file may have (globs) and how to read it.

    ``weights`` are the columns a weight may stand in, the best first.
    """

    interaction_names: tuple[str, ...]
    mapping: ColumnMapping
    layout: TextLayout = PLAIN
    weights: tuple[str, ...] = ()
    item_names: tuple[str, ...] = ()
    item_mapping: ItemMapping = BY_ITEM_ID
    item_layout: TextLayout = PLAIN
    user_names: tuple[str, ...] = ()
    user_mapping: UserMapping = BY_USER_ID
    user_layout: TextLayout = PLAIN


@dataclass(frozen=True)
class Preset:
    """A data set: its forms, and whether its weights are explicit ratings."""

    name: str
    forms: tuple[Form, ...]
    feedback: Feedback


@dataclass(frozen=True)
class PresetFiles:
    """The files of a data set as found; items and users may be missing."""

    form: Form
    interactions: Path
    items: Path | None
    users: Path | None


RATINGS: Final = ColumnMapping("user_id", "item_id", "timestamp", "rating", "s")
ATOMIC: Final = TextLayout(separator="\t", quote=None)

MOVIELENS_100K: Final = Preset(
    "movielens-100k",
    (
        Form(
            ("ml-100k.inter",),
            RATINGS,
            ATOMIC,
            item_names=("ml-100k.item",),
            item_mapping=ItemMapping(
                "item_id", "movie_title", "class", " ", features=("release_year",), numbers=("release_year",)
            ),
            item_layout=ATOMIC,
            user_names=("ml-100k.user",),
            user_mapping=UserMapping("user_id", PERSON, ("age",)),
            user_layout=ATOMIC,
        ),
        Form(
            ("u.data",),
            RATINGS,
            TextLayout("\t", ("user_id", "item_id", "rating", "timestamp"), quote=None),
            item_names=("u.item",),
            item_mapping=ItemMapping(
                "item_id", "title", flags=MOVIELENS_GENRES, features=(), year_in_title=True
            ),
            item_layout=TextLayout(
                "|",
                ("item_id", "title", "release_date", "video_release_date", "imdb_url", *MOVIELENS_GENRES),
                "latin-1",
                None,
            ),
            user_names=("u.user",),
            user_mapping=UserMapping("user_id", PERSON, ("age",)),
            user_layout=TextLayout(
                "|", ("user_id", "age", "gender", "occupation", "zip_code"), "latin-1", None
            ),
        ),
    ),
    "explicit",
)

MOVIELENS_1M: Final = Preset(
    "movielens-1m",
    (
        Form(
            ("ratings.dat",),
            RATINGS,
            TextLayout("::", ("user_id", "item_id", "rating", "timestamp"), "latin-1", None),
            item_names=("movies.dat",),
            item_mapping=ItemMapping("item_id", "title", "genres", "|", year_in_title=True),
            item_layout=TextLayout("::", ("item_id", "title", "genres"), "latin-1", None),
            user_names=("users.dat",),
            user_mapping=UserMapping("user_id", PERSON, numbers=("age", "occupation")),
            user_layout=TextLayout(
                "::", ("user_id", "gender", "age", "occupation", "zip_code"), "latin-1", None
            ),
        ),
    ),
    "explicit",
)

KION: Final = Preset(
    "kion",
    (
        Form(
            ("interactions.csv", "interactions.csv.gz", "interactions.parquet", "kion_interactions*.csv"),
            ColumnMapping("user_id", "item_id", "last_watch_dt", "watched_pct", "%Y-%m-%d"),
            TextLayout(","),
            weights=("watched_pct", "total_dur"),
            item_names=("items.csv", "items.csv.gz", "items.parquet"),
            item_mapping=ItemMapping(
                "item_id",
                "title",
                "genres",
                ",",
                features=(
                    *("content_type", "title_orig", "release_year", "countries", "for_kids", "age_rating"),
                    "studios",
                ),
                numbers=("release_year", "age_rating", "for_kids"),
            ),
            item_layout=TextLayout(","),
            user_names=("users.csv", "users.csv.gz", "users.parquet"),
            user_mapping=UserMapping(
                "user_id", features=("age", "income", "sex", "kids_flg"), numbers=("kids_flg",)
            ),
            user_layout=TextLayout(","),
        ),
    ),
    "implicit",
)

PRESETS: Final = {preset.name: preset for preset in (MOVIELENS_100K, MOVIELENS_1M, KION)}


def preset_named(name: str) -> Preset:
    """The preset of this name.

    Raises:
        DataError: when there is none; names the nearest and all.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"; did you mean {close[0]}" if close else ""
        raise DataError(f"no preset is called {name!r}{hint}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def find_files(preset: Preset, path: Path) -> PresetFiles:
    """The files of ``preset`` in the folder ``path``; or beside ``path``, an interactions file of any name.

    Raises:
        UnreadableFile: when the folder has no interactions file; lists the names looked for.
    """
    folder = path if path.is_dir() else path.parent
    for form in preset.forms:
        found = _first(folder, form.interaction_names) if path.is_dir() else _same(path, form)
        if found is not None:
            return PresetFiles(form, found, _first(folder, form.item_names), _first(folder, form.user_names))
    if not path.is_dir():
        return PresetFiles(preset.forms[0], path, None, None)
    names = ", ".join(name for form in preset.forms for name in form.interaction_names)
    raise UnreadableFile(f"{path} has no interactions of {preset.name}; its file is called {names}")


def detect_preset(path: Path) -> Preset | None:
    """The preset whose files ``path`` (a folder or an interactions file) holds, told by their names.

    ``interactions.csv`` alone says little: it is KION's where the header has last_watch_dt.
    """
    for preset in PRESETS.values():
        for form in preset.forms:
            found = _first(path, form.interaction_names) if path.is_dir() else _same(path, form)
            if found is not None and (preset is not KION or _is_kion(found)):
                return preset
    return None


def _first(folder: Path, patterns: tuple[str, ...]) -> Path | None:
    return next(
        (path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()), None
    )


def _same(path: Path, form: Form) -> Path | None:
    return path if any(path.match(pattern) for pattern in form.interaction_names) else None


def _is_kion(path: Path) -> bool:

    return "last_watch_dt" in read_columns(path)
