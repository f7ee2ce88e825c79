"""Services to supervise: scripts that run as processes, and records of what is asked of them."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from topshelf.local.process import Process

STAYS = (
    "import pathlib, sys, time\n"
    "with pathlib.Path(sys.argv[1]).open('a') as note: note.write('started\\n')\n"
    "time.sleep(60)"
)
NOTES = (
    "import pathlib, sys, time\n"
    "note = pathlib.Path(sys.argv[1])\n"
    "with note.open('a') as starts: starts.write('started\\n')\n"
)
DIES = "import sys; print('the shelf fell down'); sys.exit(4)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAYS


class Script:
    """Makes supervised processes that run a few lines of Python; each notes its starts in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Process] = []

    def __call__(self, name: str, script: str) -> Process:
        note = self.folder / name
        process = Process(
            name,
            [sys.executable, "-c", script, str(note)],
            environ={},
            log=self.folder / f"{name}.log",
            is_ready=note.exists,
            stop_seconds=0.5,
        )
        self.made.append(process)
        return process

    def starts(self, name: str) -> int:
        note = self.folder / name
        return len(note.read_text().splitlines()) if note.exists() else 0


class Recorded:
    """A service that only notes what is asked of it."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self.running = False
        self.ended_with = "ended"
        self.interrupted = False
        self.watched = False
        self.silent = False
        self.cuts = 0
        self._calls = calls

    def launch(self) -> None:
        self._calls.append(f"launch {self.name}")
        self.running = True

    def wait_until_ready(self) -> None:
        self._calls.append(f"wait {self.name}")
        if self.interrupted:
            raise KeyboardInterrupt

    def is_ready(self) -> bool:
        return not self.silent

    def bound_log(self) -> None:
        self.cuts += 1

    def ask_to_stop(self) -> None:
        self._calls.append(f"ask {self.name}")

    def stop(self) -> None:
        self._calls.append(f"stop {self.name}")
        self.running = False


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
