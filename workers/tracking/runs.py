"""Every run in one folder, a file of JSON lines each, from which the trackers are told later.

What trains only ever appends to its run's file: nothing that is down or slow can get in its way.
"""

import json
import logging
import os
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.fit_run import Epoch
from topshelf.errors import RunNotFound
from workers.tracking.fields import EPOCH_TRAIN_TIME, FAILED, FAILURE, LOSS, METRICS, SERIES_METRICS, RunInfo
from workers.tracking.run import Event, EventKind, Run

log = logging.getLogger(__name__)

SUFFIX = ".jsonl"


class Runs:
    """The runs below one folder; a run has the id of the job that trains it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def log(self, run_id: str) -> "RunLog":
        """Where a run is written down."""
        return RunLog(self, run_id)

    def path(self, run_id: str) -> Path:
        """The file of a run."""
        return self.folder / f"{file_name(run_id)}{SUFFIX}"

    def find(self, run_id: str) -> Run | None:
        """One run, or None where nothing was written down."""
        try:
            text = self.path(run_id).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        events = [_event(line, run_id) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        known = tuple(event for event in events if event is not None)
        return Run(run_id, known) if known else None

    def get(self, run_id: str) -> Run:
        """One run.

        Raises:
            RunNotFound: nothing was written down under this id.
        """
        run = self.find(run_id)
        if run is None:
            raise RunNotFound(f"there is no run {run_id!r} in {self.folder}; see them with: topshelf runs")
        return run

    def ids(self) -> list[str]:
        """The ids of all runs, the one written to last first."""
        files = sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
        return [urllib.parse.unquote(path.name.removesuffix(SUFFIX)) for path in files]

    def list(self, limit: int | None = None, model: str | None = None) -> list[Run]:
        """Runs, newest first, of one model where given."""
        found = [run for run in map(self.find, self.ids()) if run is not None and model in (None, run.model)]
        return sorted(found, key=lambda run: (run.created, run.id), reverse=True)[:limit]

    def sent(self, run_id: str, tracker: str) -> int:
        """How many of a run's events a tracker has."""
        try:
            return int(self._sent_path(run_id, tracker).read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def mark_sent(self, run_id: str, tracker: str, events: int) -> None:
        """Remember how many of a run's events a tracker has."""
        path = self._sent_path(run_id, tracker)
        partial = path.with_suffix(".partial")
        partial.write_text(str(events))
        partial.replace(path)

    def _sent_path(self, run_id: str, tracker: str) -> Path:
        return self.folder / f"{file_name(run_id)}.{tracker}.sent"


class RunLog:
    """Appends to one run. A disk that refuses costs a warning, never the training."""

    def __init__(self, runs: Runs, run_id: str) -> None:
        self._runs = runs
        self._run_id = run_id
        self._kept = b""
        self._epoch_seconds: list[float] = []
        self._last_step = 0

    def begin(self, info: RunInfo) -> float:
        """Begin the run, or go on with it after its worker died; returns the seconds already spent on it."""
        before = self._runs.find(self._run_id)
        if before is None:
            self._append("start", info.fields())
            return 0.0
        self._last_step = before.last_step
        self._append("resume")
        return before.attempt_seconds

    def set(self, fields: Mapping[str, Any]) -> None:
        """Set fields, numbers or text."""
        self._append("fields", fields)

    def epoch(self, epoch: Epoch) -> None:
        """Add what an epoch gave to the series."""
        self._last_step = epoch.number
        self._epoch_seconds.append(epoch.seconds)
        points = {METRICS + name: epoch.metrics[name] for name in SERIES_METRICS if name in epoch.metrics}
        if epoch.loss is not None:
            points[LOSS] = epoch.loss
        if points:
            self._append("point", points, step=epoch.number)

    def trained(self, metrics: Mapping[str, float]) -> None:
        """Close the series with the figures of the held-out part."""
        self._append("point", {METRICS + name: value for name, value in metrics.items()}, self._last_step + 1)
        if self._epoch_seconds:
            self.set({EPOCH_TRAIN_TIME: sum(self._epoch_seconds) / len(self._epoch_seconds) / 60})

    def end(self, state: str, failure: str = "") -> None:
        """End the run, unless it was never begun or is over."""
        run = self._runs.find(self._run_id)
        if run is None or run.over:
            return
        reason = {FAILURE: failure} if failure else {}
        self._append("end", {FAILED: state != "succeeded", **reason}, state=state)

    def _append(
        self, kind: EventKind, fields: Mapping[str, Any] | None = None, step: int = 0, state: str = ""
    ) -> None:
        event = asdict(Event(kind, time.time(), dict(fields or {}), step, state))
        line = json.dumps({name: value for name, value in event.items() if value}, default=str) + "\n"
        self._kept += line.encode()
        try:
            self._write()
        except OSError:
            log.warning("run %s: an event waits for room on the disk", self._run_id, exc_info=True)

    def _write(self) -> None:
        path = self._runs.path(self._run_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if end and os.pread(file.fileno(), 1, end - 1) != b"\n":  # torn by a crash: closed, then skipped
                file.write(b"\n")
            while self._kept:
                self._kept = self._kept[file.write(self._kept) :]


def file_name(run_id: str) -> str:
    """A run's id as a file name that never leaves its folder, and can be read back."""
    return urllib.parse.quote(run_id, safe="").replace(".", "%2E")


def _event(line: str, run_id: str) -> Event | None:
    try:
        return Event(**json.loads(line))
    except (json.JSONDecodeError, TypeError):
        log.warning("run %s: a line of its file cannot be read and is passed over", run_id)
        return None
