"""Every tracker that is on, side by side."""

import importlib.util
from collections.abc import Sequence

from topshelf.errors import TrackerError, TrackerUnavailable
from topshelf.settings import Settings
from workers.tracking.mlflow import MLflowTracker
from workers.tracking.neptune import NeptuneTracker
from workers.tracking.run import Run
from workers.tracking.runs import Runs
from workers.tracking.tracker import Tracker


class Trackers:
    """Several trackers at once, each told of every run; what one cannot take keeps nothing from another.

    Args:
        silent_seconds: after so long without an event a run counts as over: nobody is left to end it.
    """

    def __init__(self, trackers: Sequence[Tracker], runs: Runs, *, silent_seconds: float) -> None:
        self.trackers = tuple(trackers)
        self._runs = runs
        self._silent_seconds = silent_seconds

    def waiting(self, tracker: Tracker, now: float) -> list[Run]:
        """Runs with events a tracker lacks and may have now, oldest first; ``now`` in epoch seconds."""
        return [
            run
            for run in reversed(self._runs.list())
            if len(run.events) > self._runs.sent(run.id, tracker.name)
            and not (tracker.whole_runs and not run.over and now - run.last_seen < self._silent_seconds)
        ]

    def with_work(self, now: float) -> list[Tracker]:
        """The trackers that have something to take or to deliver."""
        return [
            tracker for tracker in self.trackers if tracker.has_undelivered() or self.waiting(tracker, now)
        ]

    def send(self, tracker: Tracker, now: float) -> None:
        """Tell a tracker all that it lacks, and have it deliver.

        Raises:
            TrackerUnavailable: nobody answers; the rest is kept.
            TrackerError: something was not taken; the other runs were sent.
        """
        refused: TrackerError | None = None
        for run in self.waiting(tracker, now):
            try:
                tracker.send(run, self._runs.sent(run.id, tracker.name))
            except TrackerUnavailable:
                raise
            except TrackerError as error:
                refused = error
                continue
            self._runs.mark_sent(run.id, tracker.name, len(run.events))
        if tracker.has_undelivered():
            tracker.deliver()
        if refused is not None:
            raise refused


def create_trackers(settings: Settings) -> Trackers:
    """The trackers of the settings whose packages are installed."""
    known: dict[str, Tracker] = {
        tracker.name: tracker
        for tracker in (
            NeptuneTracker(
                settings.data_dir / "neptune",
                settings.neptune_project,
                settings.neptune_token,
                settings.neptune_url,
            ),
            MLflowTracker(settings.data_dir, settings.mlflow_uri),
        )
    }
    installed = [known[name] for name in settings.trackers if importlib.util.find_spec(name) is not None]
    return Trackers(
        installed, Runs(settings.data_dir / "runs"), silent_seconds=settings.task_limit_seconds + 600
    )
