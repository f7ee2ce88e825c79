"""What beat sends, and when."""

import datetime as dt
from typing import Any

from topshelf.settings import Settings
from workers.cron import crontab_of
from workers.dispatch import SYNC_TASK
from workers.schedules import DEFAULT_SCHEDULE, Schedule, schedules_of


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """RedBeat's entries; a message nobody took expires before the next one is sent, a nightly one aside.

    A schedule in another time zone than beat's has no entry, for RedBeat keeps no zone with a cron: the
    reconciler begins its runs, as it does where a beat's message was lost.
    """
    schedules = schedules_of(settings)
    entries = {
        "reconcile": _every(settings.reconcile_seconds, "topshelf.reconcile"),
        "drain-events": _every(settings.drain_seconds, "topshelf.drain"),
    }
    if settings.delta_seconds:
        entries["delta"] = _every(settings.delta_seconds, "topshelf.delta")
    if settings.trackers:
        entries["sync-runs"] = _every(settings.sync_seconds, SYNC_TASK)
    for schedule in schedules:
        if schedule.cron and schedule.timezone == schedules.timezone:
            entries[_entry_name(schedule)] = {
                "task": "topshelf.nightly",
                "schedule": crontab_of(schedule.cron),
                "args": [schedule.name],
                "options": {"queue": "io"},
            }
    return entries


def _entry_name(schedule: Schedule) -> str:
    return schedule.name if schedule.name == DEFAULT_SCHEDULE else f"nightly-{schedule.name}"


def _every(seconds: float, task: str) -> dict[str, Any]:
    return {
        "task": task,
        "schedule": dt.timedelta(seconds=seconds),
        "options": {"queue": "io", "expires": max(seconds, 5)},
    }
