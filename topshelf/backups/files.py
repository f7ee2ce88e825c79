"""What of a data folder is backed up: all but what is made anew, is of one machine only, or half written."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from topshelf.backups.archive import is_backup

LEFT_OUT = frozenset({"redis", "logs", "profiles", "flower", "backups", "credentials.json", "system.lock"})
"""Redis comes key by key; tokens and passwords do not belong in a backup, nor do earlier backups."""
REPLACED = "replaced-"
"""Where a restore puts aside what was there."""
PASSING_SUFFIXES = (".partial", ".lock", "-wal", "-shm", "-journal")
WHOLE_FOLDERS = ("datasets", "artifacts")
"""Their folders are written whole and never changed: one of which a file is gone is on its way out."""


def files_of(data_dir: Path) -> Iterator[Path]:
    """Every file to back up, relative to the data folder; events first.

    A segment of events moves from ``pending`` to ``merged`` once a dataset version holds it: in this order
    it is found at least once, and a dataset version never lacks what its segments say it has.
    """
    tops = sorted(path.name for path in data_dir.iterdir()) if data_dir.is_dir() else []
    for top in sorted(tops, key=lambda name: (name != "events", name)):
        if top in LEFT_OUT or top.startswith((".", REPLACED)):
            continue
        if (data_dir / top).is_file():
            yield from _wanted(data_dir, Path(top))
            continue
        for place in ("pending", "merged") if top == "events" else (".",):
            for folder, names, files in os.walk(data_dir / top / place):
                names[:] = sorted(name for name in names if not name.startswith("."))
                for name in sorted(files):
                    yield from _wanted(data_dir, (Path(folder) / name).relative_to(data_dir))


def whole_folder(file: Path) -> str | None:
    """The folder that is worth nothing without this file, relative to the data folder."""
    return "/".join(file.parts[:2]) if file.parts[0] in WHOLE_FOLDERS and len(file.parts) > 2 else None


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite database that others may be writing to."""
    with closing(sqlite3.connect(source)) as opened, closing(sqlite3.connect(target)) as copy:
        opened.backup(copy)


def _wanted(data_dir: Path, file: Path) -> Iterator[Path]:
    is_passing = file.name.startswith(".") or file.name.endswith(PASSING_SUFFIXES)
    if not is_passing and not is_backup(data_dir / file):
        yield file
