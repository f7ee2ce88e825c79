"""Nightly runs told to Sentry: check-ins of a monitor for each schedule, and an event where one fails."""

import math
import re
from collections.abc import Iterable

from store.night import NightlyRun
from topshelf.reports import CheckInStatus, Monitor, Place
from workers.hooks.hook import RunHook
from workers.night_outcomes import seconds_of
from workers.runtime import Runtime

LATE_MINUTES = 10
"""How late a run may begin before Sentry says that it was missed."""
LONGEST_SLUG = 50
OWN_PREFIX = "ts:"


class SentryHook(RunHook):
    """Keeps the monitors of schedules, which Sentry makes at the first check-in.

    A run that takes longer than one task may (``task_limit_seconds``) counts as failed there. What the gate
    refused is told of the job; a run that was skipped counts as failed, for nothing was recomputed.
    """

    name = "sentry"

    def __init__(self, runtime: Runtime) -> None:
        self._reports = runtime.reports
        self._settings = runtime.settings

    def started(self, run: NightlyRun) -> None:
        self._check_in(run, "in_progress")

    def succeeded(self, run: NightlyRun) -> None:
        self._check_in(run, "ok")

    def failed(self, run: NightlyRun) -> None:
        self._check_in(run, "error")
        self._say(run)

    def skipped(self, run: NightlyRun) -> None:
        self._check_in(run, "error")
        self._say(run)

    def _check_in(self, run: NightlyRun, status: CheckInStatus) -> None:
        # One that is run by hand alone is expected at no hour.
        if run.cron:
            seconds = None if status == "in_progress" else seconds_of(run)
            self._reports.check_in(self._monitor(run), run.id, status, seconds)

    def _monitor(self, run: NightlyRun) -> Monitor:
        return Monitor(
            slug_of(self._settings.key_prefix, run.schedule),
            run.cron,
            run.timezone,
            margin_minutes=LATE_MINUTES,
            most_minutes=math.ceil(self._settings.task_limit_seconds / 60),
        )

    def _say(self, run: NightlyRun) -> None:
        tags = {"task": "nightly", "schedule": run.schedule, "run": run.id}
        models = {name: f"{outcome.state} {outcome.reason}".strip() for name, outcome in run.models.items()}
        self._reports.say(
            f"nightly run {run.id} {run.state}: {run.reason}",
            Place(f"schedule {run.schedule}", tags, {"models": models}),
            group=("nightly", run.schedule, run.state),
            once=f"{self._settings.key_prefix} {run.id} {run.state}",
        )


def sentry_hooks(runtime: Runtime) -> Iterable[SentryHook]:
    """The hook, where there is somebody to tell."""
    return [SentryHook(runtime)] if runtime.settings.sentry_dsn.get_secret_value() else []


def slug_of(key_prefix: str, schedule: str) -> str:
    """The name of a schedule's monitor; deployments that share a project and a Redis are told apart."""
    own = [] if key_prefix == OWN_PREFIX else re.findall(r"[a-z0-9]+", key_prefix.lower())
    return "-".join(["topshelf", *own, schedule])[:LONGEST_SLUG]
