"""The files of a dataset version: how they are written, and how they are found intact."""

import contextlib
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from pydantic import ValidationError
from scipy.sparse import csr_matrix, save_npz

from interactions.columns import CATEGORIES, EVENT, ITEM, ITEM_INDEX, TIMESTAMP, USER, USER_INDEX, WEIGHT
from interactions.dataset import (
    CATEGORIES_FILE,
    INTERACTIONS_FILE,
    ITEMS_FILE,
    MANIFEST_FILE,
    MATRIX_FILE,
    REJECTS_FILE,
    USERS_FILE,
)
from interactions.manifest import DatasetManifest
from topshelf.errors import CorruptDataset, DataError

BUILDING_PREFIX: Final = ".building-"
ABANDONED_AFTER_SECONDS: Final = 86_400
"""Age at which an unfinished version is taken for one whose writer died."""


@dataclass(frozen=True, eq=False)
class VersionContent:
    """What a version's files are written from, rows of ``users`` and ``items`` in index order.

    ``interactions``: user u32, item u32, weight f32, timestamp Datetime(us), event_id str or null.
    """

    interactions: pl.DataFrame
    users: pl.DataFrame
    items: pl.DataFrame
    matrix: csr_matrix
    categories: csr_matrix
    rejects: pl.DataFrame | None

    def digest(self, *declared: object) -> str:
        """SHA-256 over what the version says, with the ``declared`` facts that belong to it."""
        digest = hashlib.sha256(repr(declared).encode())
        for name in (USER_INDEX, ITEM_INDEX, WEIGHT, TIMESTAMP):
            digest.update(np.ascontiguousarray(self.interactions[name].to_physical().to_numpy()).data)
        if self.interactions[EVENT].null_count() < self.interactions.height:
            digest.update(self.interactions.select(EVENT).write_ndjson().encode())
        for table, key in ((self.users, USER), (self.items, ITEM)):
            columns = sorted(table.columns, key=lambda name, key=key: (name != key, name))  # type: ignore[misc]
            digest.update(table.select(columns).write_ndjson().encode())
        return digest.hexdigest()


@contextlib.contextmanager
def building_folder(root: Path) -> Iterator[Path]:
    """A fresh folder under ``root`` to build a version in; gone afterwards unless it was renamed.

    Raises:
        DataError: when the disk refuses.
    """
    folder = root / f"{BUILDING_PREFIX}{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True)
        _drop_abandoned(root)
        yield folder
    except OSError as exc:
        raise DataError(f"no dataset version can be written in {root}: {exc}") from exc
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_files(folder: Path, content: VersionContent) -> None:
    """Write all files but the manifest."""
    content.interactions.write_parquet(folder / INTERACTIONS_FILE, compression="zstd", compression_level=1)
    content.users.write_parquet(folder / USERS_FILE, compression="zstd")
    content.items.write_parquet(folder / ITEMS_FILE, compression="zstd")
    save_npz(folder / MATRIX_FILE, content.matrix, compressed=False)
    save_npz(folder / CATEGORIES_FILE, content.categories, compressed=False)
    if content.rejects is not None and content.rejects.height:
        content.rejects.write_csv(folder / REJECTS_FILE)


def file_checks(folder: Path) -> tuple[dict[str, str], dict[str, int]]:
    """SHA-256 and size in bytes of each file in ``folder``, by name."""
    names = sorted(path.name for path in folder.iterdir())
    return (
        {name: sha256_of(folder / name) for name in names},
        {name: (folder / name).stat().st_size for name in names},
    )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish_folder(folder: Path, target: Path) -> None:
    """Put ``folder`` on disk for good, then make it ``target`` in one step.

    Raises:
        FileExistsError: when somebody else has just made ``target``.
    """
    for path in folder.iterdir():
        _fsync(path)
    _fsync(folder)
    try:
        folder.rename(target)
    except OSError as exc:
        if target.is_dir():
            raise FileExistsError(target) from exc
        raise
    _fsync(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a version's folder, hidden first; what a dead process left so is dropped as unfinished."""
    hidden = folder.with_name(f"{BUILDING_PREFIX}removed-{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


def read_manifest(folder: Path) -> DatasetManifest:
    """The manifest in ``folder``.

    Raises:
        CorruptDataset: when there is none, or it is not a manifest.
    """
    try:
        return DatasetManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    except OSError as exc:
        raise CorruptDataset(f"the dataset in {folder} has no readable {MANIFEST_FILE}: {exc}") from exc
    except ValidationError as exc:
        raise CorruptDataset(f"{folder / MANIFEST_FILE} is not a dataset manifest") from exc


def verify_files(folder: Path, manifest: DatasetManifest, *, checksums: bool) -> None:
    """Compare the files in ``folder`` with their manifest: sizes always, contents where ``checksums``.

    Raises:
        CorruptDataset: naming the first file that is missing or differs.
    """
    if manifest.version != folder.name:
        raise CorruptDataset(f"the manifest in {folder} is that of {manifest.version}")
    for name, size in manifest.sizes.items():
        path = folder / name
        if not path.is_file():
            raise CorruptDataset(f"{path} is missing")
        if path.stat().st_size != size:
            raise CorruptDataset(f"{path} has {path.stat().st_size} bytes, its manifest says {size}")
        if checksums and sha256_of(path) != manifest.checksums.get(name):
            raise CorruptDataset(f"{path} does not have the checksum its manifest says")


def category_names(items: pl.DataFrame) -> tuple[str, ...]:
    """The distinct category names of an items table, ascending."""
    return tuple(items[CATEGORIES].explode().drop_nulls().unique().sort().to_list())


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _drop_abandoned(root: Path) -> None:
    for path in root.glob(f"{BUILDING_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
