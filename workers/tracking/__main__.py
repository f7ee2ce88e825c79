"""``python -m workers.tracking NAME``: tell one tracker what it lacks; exit code 1 where some is left."""

import fcntl
import logging
import sys
import time
from pathlib import Path

from topshelf.errors import SettingsError, TrackerError
from topshelf.settings import Settings
from workers.tracking.trackers import create_trackers

log = logging.getLogger("workers.tracking")


def main(name: str) -> int:
    """Send under a lock, so that no two processes tell a tracker the same."""
    settings = Settings.from_environment()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    trackers = create_trackers(settings)
    chosen = next((tracker for tracker in trackers.trackers if tracker.name == name), None)
    if chosen is None:
        raise SettingsError(f"TOPSHELF_TRACKERS: {name} is off, or not installed")
    with _lock_file(settings.data_dir / "runs", name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        try:
            trackers.send(chosen, time.time())
        except TrackerError as error:
            log.error("%s", error)  # noqa: TRY400 -- the message is enough
            return 1
    return 0


def _lock_file(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f".{name}.lock"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
