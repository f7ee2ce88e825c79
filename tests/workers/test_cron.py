"""When a cron is due, on days of 23 and 25 hours, too."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from topshelf.errors import SettingsError
from workers.cron import is_daily_at_most, last_due, longest_gap_seconds, next_due

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(moment: str, *, fold: int = 0) -> dt.datetime:
    return dt.datetime.fromisoformat(moment).replace(tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("cron", "now", "due"),
    [
        ("0 3 * * *", "2026-11-23T12:00", "2026-11-23T03:00"),
        ("0 3 * * *", "2026-11-23T03:00", "2026-11-23T03:00"),
        ("0 3 * * *", "2026-11-23T02:59", "2026-11-22T03:00"),
        ("*/30 1,2 * * *", "2026-11-23T02:10", "2026-11-23T02:00"),
        ("15 4 1 * *", "2026-11-23T12:00", "2026-11-01T04:15"),
        ("0 3 * * 0", "2026-11-23T12:00", "2026-11-22T03:00"),
    ],
)
def test_the_last_due_moment_names_a_nightly_run(cron: str, now: str, due: str) -> None:
    assert last_due(cron, berlin(now)) == berlin(due)


@pytest.mark.parametrize(
    ("cron", "now", "due"),
    [
        ("0 3 * * *", "2026-11-23T03:00", "2026-11-24T03:00"),
        ("0 3 * * *", "2026-11-23T02:59", "2026-11-23T03:00"),
        ("0 3 * * 0", "2026-11-23T12:00", "2026-11-29T03:00"),
    ],
)
def test_the_next_due_moment_is_the_first_one_still_to_come(cron: str, now: str, due: str) -> None:
    assert next_due(cron, berlin(now)) == berlin(due)


@pytest.mark.parametrize("cron", ["0 3 31 2 *", "99 3 * * *", "a b c d e", "0 3 * *"])
def test_a_cron_that_is_no_schedule_is_a_settings_error(cron: str) -> None:
    with pytest.raises(SettingsError, match="TOPSHELF_NIGHTLY_CRON"):
        last_due(cron, berlin("2026-11-23T00:00"))


def test_a_cron_that_was_not_due_for_a_year_has_no_last_moment() -> None:
    assert last_due("0 3 29 2 *", berlin("2026-11-23T00:00")) is None


def test_an_hour_that_the_clock_leaves_out_is_due_once_on_that_day() -> None:
    before, after = berlin("2026-03-29T01:59"), berlin("2026-03-29T03:45")
    assert last_due("30 2 * * *", before) == berlin("2026-03-28T02:30")
    due = last_due("30 2 * * *", after)
    assert due is not None
    assert (due.date(), due.timestamp()) == (after.date(), berlin("2026-03-29T03:30").timestamp())


def test_an_hour_that_comes_twice_is_due_the_first_time() -> None:
    first = berlin("2026-10-25T02:30")
    for now in (
        berlin("2026-10-25T02:40"),
        berlin("2026-10-25T02:10", fold=1),
        berlin("2026-10-25T02:40", fold=1),
        berlin("2026-10-25T23:00"),
    ):
        due = last_due("30 2 * * *", now)
        assert due is not None
        assert due.timestamp() == first.timestamp()


@pytest.mark.parametrize(
    ("cron", "is_one"),
    [("0 3 * * *", True), ("0 3 * * 0", True), ("0 3,15 * * *", False), ("* 3 * * *", False)],
)
def test_a_date_names_a_run_where_there_is_one_a_day(cron: str, is_one: bool) -> None:
    assert is_daily_at_most(cron) is is_one


@pytest.mark.parametrize(
    ("cron", "hours"),
    [
        ("0 3 * * *", 24),
        ("0 3,15 * * *", 12),
        ("0 3,4 * * *", 23),
        ("0 * * * *", 1),
        ("30 4 * * 0", 7 * 24),
        ("0 3 * * 1-5", 3 * 24),
        ("0 3 1 * *", 31 * 24),
        ("0 3 1 1 *", 365 * 24),
        ("0 3 29 2 *", 366 * 24),
    ],
)
def test_the_longest_gap_is_that_of_any_time_of_the_year(cron: str, hours: int) -> None:
    assert longest_gap_seconds(cron) == hours * 3600
