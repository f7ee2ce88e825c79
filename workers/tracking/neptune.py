"""Neptune, always offline: a dead server blocks ``init_run`` for a minute, and the hosted one is gone.

What is logged stands under ``<folder>/.neptune/offline`` until ``neptune sync`` sends it to a server.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import neptune
from neptune.exceptions import NeptuneException

from workers.tracking.tracker import Run, RunInfo, Tracker, fields_of

log = logging.getLogger(__name__)


class NeptuneTracker(Tracker):
    """Logs runs with the Neptune client in offline mode.

    Args:
        project: ``workspace/name`` the runs belong to once they are synchronised.
        folder: where ``.neptune`` is written.
    """

    def __init__(self, project: str, folder: Path) -> None:
        self._project = project
        self._folder = folder

    def start(self, info: RunInfo) -> Run:
        self._folder.mkdir(parents=True, exist_ok=True)
        with _working_in(self._folder):
            handle = neptune.init_run(
                mode="offline",
                project=self._project,
                name=info.job_id,
                tags=[info.model, *info.tags],
                capture_stdout=False,
                capture_stderr=False,
                capture_traceback=False,
                capture_hardware_metrics=False,
                git_ref=False,
                source_files=[],
            )
        run = _NeptuneRun(handle)
        run.log(fields_of(info))
        return run


class _NeptuneRun(Run):
    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def log(self, fields: Mapping[str, Any]) -> None:
        with _never_failing():
            for field, value in fields.items():
                self._handle[field] = value if isinstance(value, bool | int | float | str) else str(value)

    def append(self, field: str, value: float) -> None:
        with _never_failing():
            self._handle[field].append(value)

    def stop(self, failure: str | None = None) -> None:
        with _never_failing():
            self._handle["training/failed"] = failure is not None
            if failure is not None:
                self._handle["training/failure"] = failure
            self._handle.stop()


@contextlib.contextmanager
def _never_failing() -> Iterator[None]:
    try:
        yield
    except (NeptuneException, OSError, ValueError, TypeError):
        log.warning("Neptune could not log", exc_info=True)


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """The client writes ``.neptune`` into the working directory and has no argument for another place."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
