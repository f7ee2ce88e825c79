"""Logs that children append to, kept from filling the disk."""

import shutil
from contextlib import suppress
from pathlib import Path

LOG_BYTES = 20_000_000


def bound(log: Path) -> None:
    """Move a log of more than ``LOG_BYTES`` behind ``.1`` and empty it; the one that was there is gone.

    Whoever appends to it goes on at its new end. A line written between the copy and the cut is lost.
    """
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as file:
                file.truncate()
