"""Which dataset version each study works on, in a note beside its file: a worker need not have Optuna."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from workers.tracking.runs import file_name

SUFFIX = ".dataset"


def studies_folder(data_dir: Path) -> Path:
    """Where studies lie."""
    return data_dir / "studies"


def note_dataset(folder: Path, study: str, dataset: str) -> None:
    """Note that a study goes on, on a dataset version."""
    note = folder / f"{file_name(study)}{SUFFIX}"
    partial = note.with_suffix(".partial")
    partial.write_text(dataset)
    partial.rename(note)


def datasets_of_studies(folder: Path, within_seconds: float) -> Iterator[str]:
    """The versions of studies that went on not longer ago: somebody may take them up where they were left."""
    since = time.time() - within_seconds
    for note in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):
            if note.stat().st_mtime >= since:
                yield note.read_text()
