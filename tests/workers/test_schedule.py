"""When beat sends what."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from redbeat import RedBeatSchedulerEntry

from tests.workers.conftest import StartWorker, wait_until
from topshelf.errors import SettingsError
from topshelf.settings import Settings
from workers.celery_app import TopshelfCelery
from workers.cron import last_due
from workers.runtime import Runtime
from workers.schedule import beat_schedule

BERLIN = ZoneInfo("Europe/Berlin")


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
    found = last_due(cron, dt.datetime.fromisoformat(now).replace(tzinfo=BERLIN))
    assert found == dt.datetime.fromisoformat(due).replace(tzinfo=BERLIN)


@pytest.mark.parametrize("cron", ["0 3 31 2 *", "99 3 * * *", "a b c d e"])
def test_a_cron_that_is_no_schedule_is_a_settings_error(cron: str) -> None:
    with pytest.raises(SettingsError, match="TOPSHELF_NIGHTLY_CRON"):
        last_due(cron, dt.datetime(2026, 11, 23, tzinfo=BERLIN))


def test_a_cron_that_was_not_due_for_a_year_has_no_last_moment() -> None:
    assert last_due("0 3 29 2 *", dt.datetime(2026, 11, 23, tzinfo=BERLIN)) is None


def test_incremental_runs_are_started_by_the_clock_only_where_asked_for(settings: Settings) -> None:
    assert "delta" not in beat_schedule(settings)
    entry = beat_schedule(settings.model_copy(update={"delta_seconds": 600.0}))["delta"]
    assert (entry["task"], entry["schedule"]) == ("topshelf.delta", dt.timedelta(minutes=10))


def test_an_empty_cron_turns_the_nightly_run_off(settings: Settings) -> None:
    assert "nightly" in beat_schedule(settings)
    assert "nightly" not in beat_schedule(settings.model_copy(update={"nightly_cron": ""}))


def test_beat_catches_a_missed_run_up_once(
    settings: Settings, runtime: Runtime, app: TopshelfCelery, start_worker: StartWorker
) -> None:
    """A beat that was away at the hour sends the run when it comes back, and sends it once."""
    entry = beat_schedule(settings)["nightly"]
    RedBeatSchedulerEntry(
        "nightly", entry["task"], entry["schedule"], options=entry["options"], app=app
    ).save()
    missed = RedBeatSchedulerEntry.from_key(f"{settings.key_prefix}redbeat:nightly", app=app)
    missed.reschedule(dt.datetime.now(dt.UTC) - dt.timedelta(days=3))

    def nightly_messages() -> int:
        waiting = runtime.durable.lrange("io", 0, -1)
        return sum('"task": "topshelf.nightly"' in str(message) for message in waiting)

    start_worker("beat")
    wait_until(lambda: nightly_messages() == 1, "the missed run sent")
    ticked = RedBeatSchedulerEntry.from_key(f"{settings.key_prefix}redbeat:nightly", app=app)
    assert ticked.total_run_count == 1
    assert ticked.due_at > dt.datetime.now(dt.UTC)
