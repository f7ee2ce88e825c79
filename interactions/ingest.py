"""Files of interactions, items and users made into a dataset version."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from interactions.columns import FILE
from interactions.dataset import REJECTS_FILE, Dataset
from interactions.datasets import Datasets
from interactions.id_map import IdKind
from interactions.manifest import Feedback
from interactions.mapping import (
    ColumnMapping,
    ItemMapping,
    UserMapping,
    guess_item_mapping,
    guess_mapping,
    guess_user_mapping,
)
from interactions.presets import Form, detect_preset, find_files, preset_named
from interactions.readers import EntityReadout, Readout, read_interactions, read_items, read_users
from interactions.tables import TextLayout, read_columns
from topshelf.errors import DataError, EmptyData, TooManyRejects, UnreadableFile

Progress = Callable[[float, str], None]

ENDINGS: Final = ("parquet", "csv", "csv.gz", "tsv", "tsv.gz")
INTERACTION_STEMS: Final = ("interactions", "ratings", "events")
ITEM_STEMS: Final = ("items", "movies")
USER_STEMS: Final = ("users",)
REASONS_SHOWN: Final = 3


@dataclass(frozen=True, eq=False)
class IngestReport:
    """What became of the files.

    ``n_rows`` are the interactions file's data rows, ``n_rejects`` those of them (and of the items and
    users files) in ``rejects_path``, which is None where there are none. ``reused`` is true where a
    version with the very same content was there already.
    """

    dataset: Dataset
    n_rows: int
    n_rejects: int
    rejects_path: Path | None
    reused: bool


@dataclass(frozen=True)
class _Sources:
    """The files to read and how; None in a mapping's place means it is guessed from the header."""

    name: str
    feedback: Feedback
    form: Form | None
    interactions: Path
    items: Path | None
    users: Path | None


def ingest(
    datasets: Datasets,
    path: Path,
    *,
    preset: str | None = None,
    mapping: ColumnMapping | None = None,
    items_path: Path | None = None,
    items_mapping: ItemMapping | None = None,
    users_path: Path | None = None,
    users_mapping: UserMapping | None = None,
    user_id_type: str = "auto",
    item_id_type: str = "auto",
    user_id_max: int | None = None,
    feedback: Feedback | None = None,
    reject_share: float = 0.05,
    rejects_folder: Path | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Read ``path``, a file or a folder, into a dataset version.

    With neither ``preset`` nor ``mapping`` the files' names tell a preset, else the header a mapping.
    ``reject_share`` is the share of bad interactions above which nothing is kept but the rejects, in
    ``rejects_folder`` (``rejects`` beside the datasets). ``progress`` gets a share from 0 to 1 and a line.

    Raises:
        UnreadableFile, EmptyData, MissingColumn: when there is nothing to read.
        EmptyData, TooManyRejects: when all rows are bad, or too many; names the rejects file.
    """
    report = progress or _silent
    rejects_folder = rejects_folder or datasets.root.parent / "rejects"
    sources = _sources(Path(path), preset, mapping, items_path, users_path)
    report(0.0, f"reading {sources.interactions.name}")
    readout = read_interactions(
        sources.interactions,
        mapping or _mapping(sources),
        layout=sources.form.layout if sources.form else None,
        user_id_type=user_id_type,
        item_id_type=item_id_type,
        user_id_max=user_id_max,
    )
    _check_rejects(readout, sources.interactions, reject_share, rejects_folder)
    report(0.5, f"{readout.frame.height:,} interactions read, {readout.rejects.height:,} rejected")
    items = _read_items(sources, items_mapping, readout.item_id_type)
    users = _read_users(sources, users_mapping, readout.user_id_type)
    rejects = _all_rejects(sources, readout, items, users)
    report(0.6, "indexing and writing")
    before = set(datasets.root.glob("*")) if datasets.root.is_dir() else set()
    dataset = datasets.create(
        readout.frame,
        rejects=rejects,
        items=items.frame if items else None,
        users=users.frame if users else None,
        user_id_type=readout.user_id_type,
        item_id_type=readout.item_id_type,
        user_id_max=user_id_max,
        feedback=feedback or sources.feedback,
        source=f"{sources.name}: {sources.interactions.name}",
        has_timestamps=readout.has_timestamps,
    )
    kept = _kept_rejects(dataset, rejects, sources.interactions, rejects_folder)
    report(1.0, f"dataset {dataset.version}")
    return IngestReport(dataset, readout.n_rows, rejects.height, kept, dataset.path in before)


def _silent(share: float, message: str) -> None:
    """Report to nobody."""


def _sources(
    path: Path, preset_name: str | None, mapping: ColumnMapping | None, items: Path | None, users: Path | None
) -> _Sources:
    if not path.exists():
        raise UnreadableFile(f"{path} does not exist")
    preset = preset_named(preset_name) if preset_name else None
    if preset is None and mapping is None:
        preset = detect_preset(path)
    if preset is not None:
        files = find_files(preset, path)
        return _Sources(
            preset.name,
            preset.feedback,
            files.form,
            files.interactions,
            items or files.items,
            users or files.users,
        )
    if not path.is_dir():
        return _Sources("file", "implicit", None, path, items, users)
    found = _named(path, INTERACTION_STEMS)
    if found is None:
        names = ", ".join(f"{stem}.csv" for stem in INTERACTION_STEMS)
        raise UnreadableFile(
            f"{path} has no interactions; a file called {names} (or .tsv, .parquet) is wanted"
        )
    return _Sources(
        "folder",
        "implicit",
        None,
        found,
        items or _named(path, ITEM_STEMS),
        users or _named(path, USER_STEMS),
    )


def _named(folder: Path, stems: tuple[str, ...]) -> Path | None:
    candidates = (folder / f"{stem}.{ending}" for stem in stems for ending in ENDINGS)
    return next((path for path in candidates if path.is_file()), None)


def _mapping(sources: _Sources) -> ColumnMapping:
    form = sources.form
    if form is None:
        return guess_mapping(read_columns(sources.interactions))
    columns = read_columns(sources.interactions, form.layout) if form.weights else []
    weight = next((choice for choice in form.weights if choice in columns), form.mapping.weight)
    return replace(form.mapping, weight=weight)


def _read_items(sources: _Sources, mapping: ItemMapping | None, kind: IdKind) -> EntityReadout | None:
    if sources.items is None:
        return None
    layout = sources.form.item_layout if sources.form else TextLayout()
    if mapping is None:
        form = sources.form
        mapping = form.item_mapping if form else guess_item_mapping(read_columns(sources.items))
    return read_items(sources.items, mapping, kind, layout)


def _read_users(sources: _Sources, mapping: UserMapping | None, kind: IdKind) -> EntityReadout | None:
    if sources.users is None:
        return None
    layout = sources.form.user_layout if sources.form else TextLayout()
    if mapping is None:
        form = sources.form
        mapping = form.user_mapping if form else guess_user_mapping(read_columns(sources.users))
    return read_users(sources.users, mapping, kind, layout)


def _all_rejects(
    sources: _Sources, readout: Readout, items: EntityReadout | None, users: EntityReadout | None
) -> pl.DataFrame:
    parts = [(sources.interactions, readout.rejects)]
    if items is not None and sources.items is not None:
        parts.append((sources.items, items.rejects))
    if users is not None and sources.users is not None:
        parts.append((sources.users, users.rejects))
    return pl.concat([_with_file(rejects, path) for path, rejects in parts], how="diagonal")


def _with_file(rejects: pl.DataFrame, path: Path) -> pl.DataFrame:
    renamed = rejects.rename({FILE: f"raw_{FILE}"}) if FILE in rejects.columns else rejects
    return renamed.select(pl.lit(path.name).alias(FILE), pl.all())


def _check_rejects(readout: Readout, path: Path, limit: float, folder: Path) -> None:
    bad, rows = readout.rejects.height, readout.n_rows
    if readout.frame.height and bad <= limit * rows:
        return
    kept = _write_rejects(_with_file(readout.rejects, path), path, folder)
    counts = readout.rejects["reason"].value_counts(sort=True).head(REASONS_SHOWN).rows()
    reasons = ", ".join(f"{reason} ({count:,})" for reason, count in counts)
    told = f"{bad:,} of the {rows:,} rows of {path} are bad: {reasons}; each is in {kept}"
    if not readout.frame.height:
        raise EmptyData(f"no row is left: {told}")
    raise TooManyRejects(f"{told}; at most {limit:.2%} may be")


def _kept_rejects(dataset: Dataset, rejects: pl.DataFrame, path: Path, folder: Path) -> Path | None:
    """Where this run's rejects stand: in the version, or aside where the version has others of its own."""
    if not rejects.height:
        return None
    within = dataset.path / REJECTS_FILE
    if within.is_file() and within.read_bytes() == rejects.write_csv().encode():
        return within
    return _write_rejects(rejects, path, folder)


def _write_rejects(rejects: pl.DataFrame, path: Path, folder: Path) -> Path:
    now = datetime.now(UTC)
    kept = folder / f"{path.stem}-{now:%Y%m%dT%H%M%S%f}Z.rejects.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rejects.write_csv(kept)
    except OSError as exc:
        raise DataError(f"the rejects of {path} cannot be written to {kept}: {exc}") from exc
    return kept
