"""What beat sends, and when."""

import datetime as dt
from typing import Any

from celery.schedules import ParseException, crontab

from topshelf.errors import SettingsError
from topshelf.settings import Settings
from workers.dispatch import SYNC_TASK

LONGEST_GAP_DAYS = 366


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """RedBeat's entries; a message nobody took expires before the next one is sent, the nightly one aside."""
    entries = {
        "reconcile": _every(settings.reconcile_seconds, "topshelf.reconcile"),
        "drain-events": _every(settings.drain_seconds, "topshelf.drain"),
    }
    if settings.delta_seconds:
        entries["delta"] = _every(settings.delta_seconds, "topshelf.delta")
    if settings.trackers:
        entries["sync-runs"] = _every(settings.sync_seconds, SYNC_TASK)
    if settings.nightly_cron:
        entries["nightly"] = {
            "task": "topshelf.nightly",
            "schedule": crontab_of(settings.nightly_cron),
            "options": {"queue": "io"},
        }
    return entries


def crontab_of(cron: str) -> crontab:
    """Celery's schedule of five cron fields: minute, hour, day of month, month, weekday.

    Raises:
        SettingsError: a field is out of range, or the day never comes.
    """
    minute, hour, day_of_month, month_of_year, day_of_week = cron.split()
    try:
        return crontab(
            minute=minute,
            hour=hour,
            day_of_month=day_of_month,
            month_of_year=month_of_year,
            day_of_week=day_of_week,
        )
    except (ParseException, ValueError) as error:
        raise SettingsError(f"TOPSHELF_NIGHTLY_CRON: {cron!r} is no schedule: {error}") from error


def last_due(cron: str, now: dt.datetime) -> dt.datetime | None:
    """The latest moment not after ``now``, in ``now``'s time zone, at which the cron was due.

    This names a nightly run: a message that comes late, or twice, still belongs to the same moment.
    None where the cron was not due in the last year.
    """
    schedule = crontab_of(cron)
    for days in range(LONGEST_GAP_DAYS):
        day = now.date() - dt.timedelta(days=days)
        if not _matches(schedule, day):
            continue
        for hour in sorted(schedule.hour, reverse=True):
            for minute in sorted(schedule.minute, reverse=True):
                due = dt.datetime.combine(day, dt.time(hour, minute), tzinfo=now.tzinfo)
                if due <= now:
                    return due
    return None


def _matches(schedule: crontab, day: dt.date) -> bool:
    return (
        day.day in schedule.day_of_month
        and day.month in schedule.month_of_year
        and day.isoweekday() % 7 in schedule.day_of_week
    )


def _every(seconds: float, task: str) -> dict[str, Any]:
    return {
        "task": task,
        "schedule": dt.timedelta(seconds=seconds),
        "options": {"queue": "io", "expires": max(seconds, 5)},
    }
