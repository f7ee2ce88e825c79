"""Who is told of nightly runs: the base of every hook."""

from store.job import Job
from store.night import NightlyRun


class RunHook:
    """Told of nightly runs, in a worker, from their records; override what is of interest.

    Each event of a run is told at least once, and again after a pause where the method raises
    ``NoticeUndelivered``, so that a method must stand to be called twice. A hook that hangs or fails holds up
    no run. Every run ends with exactly one of ``succeeded``, ``failed`` and ``skipped``.

    Attributes:
        name: what is delivered is noted under it; the same from one start to the next, no secret in it.
    """

    name: str = ""

    def started(self, run: NightlyRun) -> None:
        """A run has begun; not called for one that was skipped at once."""

    def succeeded(self, run: NightlyRun) -> None:
        """Every model that was not skipped is published."""

    def failed(self, run: NightlyRun) -> None:
        """A model failed, was refused or cancelled, or the run itself could not go on: ``run.reason``."""

    def refused(self, run: NightlyRun, job: Job) -> None:
        """The gate refused a model, whose job it is; the run's end is told besides."""

    def skipped(self, run: NightlyRun) -> None:
        """A run was due while the one before it was at work: nothing was done."""
