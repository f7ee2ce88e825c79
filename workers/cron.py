"""When a cron is due, in a time zone; hours that come twice or never in a year included."""

import datetime as dt
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab

from topshelf.errors import SettingsError

LONGEST_GAP_DAYS = 366
MINUTES_A_DAY = 24 * 60


def crontab_of(cron: str, said_in: str = "TOPSHELF_NIGHTLY_CRON") -> crontab:
    """Celery's schedule of five cron fields: minute, hour, day of month, month, weekday.

    Raises:
        SettingsError: there are not five, one is out of range, or the day never comes; names ``said_in``.
    """
    fields = cron.split()
    if len(fields) != 5:
        raise SettingsError(
            f"{said_in}: five fields are wanted: minute hour day month weekday, as in '0 3 * * *'"
        )
    minute, hour, day_of_month, month_of_year, day_of_week = fields
    try:
        return crontab(
            minute=minute,
            hour=hour,
            day_of_month=day_of_month,
            month_of_year=month_of_year,
            day_of_week=day_of_week,
        )
    except (ParseException, ValueError) as error:
        raise SettingsError(f"{said_in}: {cron!r} is no schedule: {error}") from error


def is_daily_at_most(cron: str) -> bool:
    """Whether a cron is due no more than once a day, so that the date alone names a run."""
    schedule = crontab_of(cron)
    return len(schedule.hour) * len(schedule.minute) == 1


def last_due(cron: str, now: dt.datetime) -> dt.datetime | None:
    """The latest moment not after ``now``, in ``now``'s time zone, at which the cron was due.

    A time that a clock set forward leaves out is due that much later; one that a clock set back repeats, the
    first time. None where the cron was not due in the last year.
    """
    at = now.timestamp()  # of one zone, Python compares what clocks show
    days = (now.date() - dt.timedelta(days=days) for days in range(LONGEST_GAP_DAYS))
    moments = (due for day in days for due in reversed(due_on(cron, day, now.tzinfo)))
    return next((due for due in moments if due.timestamp() <= at), None)


def next_due(cron: str, now: dt.datetime) -> dt.datetime | None:
    """The first moment after ``now``, in its time zone, at which the cron is due; None for none in a year."""
    at = now.timestamp()
    days = (now.date() + dt.timedelta(days=days) for days in range(LONGEST_GAP_DAYS))
    moments = (due for day in days for due in due_on(cron, day, now.tzinfo))
    return next((due for due in moments if due.timestamp() > at), None)


@cache
def longest_gap_seconds(cron: str) -> int:
    """The longest time between two moments at which a cron is due, on days of 24 hours; at most a year."""
    schedule = crontab_of(cron)
    minutes = sorted(60 * hour + minute for hour in schedule.hour for minute in schedule.minute)
    first = dt.date(2001, 1, 1)
    days = [day for day in range(2 * LONGEST_GAP_DAYS) if _matches(schedule, first + dt.timedelta(days=day))]
    within = [later - earlier for earlier, later in pairwise(minutes)]
    overnight = [
        (later - earlier) * MINUTES_A_DAY - (minutes[-1] - minutes[0]) for earlier, later in pairwise(days)
    ]
    return 60 * max([*within, *overnight], default=LONGEST_GAP_DAYS * MINUTES_A_DAY)


def due_on(cron: str, day: dt.date, zone: dt.tzinfo | None) -> list[dt.datetime]:
    """Every moment of a day, by the clock on the wall, at which a cron is due; in order."""
    schedule = crontab_of(cron)
    if not _matches(schedule, day):
        return []
    return list(_times(schedule, day, zone))


def now_in(timezone: str) -> dt.datetime:
    """The present moment, as that zone's clocks show it."""
    return dt.datetime.now(ZoneInfo(timezone))


def _times(schedule: crontab, day: dt.date, zone: dt.tzinfo | None) -> Iterator[dt.datetime]:
    for hour in sorted(schedule.hour):
        for minute in sorted(schedule.minute):
            yield dt.datetime.combine(day, dt.time(hour, minute), tzinfo=zone)


def _matches(schedule: crontab, day: dt.date) -> bool:
    return (
        day.day in schedule.day_of_month
        and day.month in schedule.month_of_year
        and day.isoweekday() % 7 in schedule.day_of_week
    )
