"""When beat sends what."""

import datetime as dt
from pathlib import Path

from redbeat import RedBeatSchedulerEntry

from tests.waiting import wait_until
from tests.workers.conftest import StartWorker
from topshelf.settings import Settings
from workers.celery_app import TopshelfCelery, create_app
from workers.runtime import Runtime
from workers.schedule import beat_schedule


def test_incremental_runs_are_started_by_the_clock_only_where_asked_for(settings: Settings) -> None:
    assert "delta" not in beat_schedule(settings)
    entry = beat_schedule(settings.model_copy(update={"delta_seconds": 600.0}))["delta"]
    assert (entry["task"], entry["schedule"]) == ("topshelf.delta", dt.timedelta(minutes=10))


def test_an_empty_cron_turns_the_nightly_run_off(settings: Settings) -> None:
    assert "nightly" in beat_schedule(settings)
    assert "nightly" not in beat_schedule(settings.model_copy(update={"nightly_cron": ""}))


def test_a_schedule_in_another_zone_is_left_to_the_reconciler(settings: Settings, tmp_path: Path) -> None:
    """RedBeat keeps no zone with a cron, so that it would send at the wrong hour."""
    file = tmp_path / "schedule.toml"
    file.write_text(
        '[defaults]\ntimezone = "Europe/Berlin"\nmodels = ["als"]\n'
        '[schedules.here]\ncron = "0 3 * * *"\n'
        '[schedules.there]\ncron = "0 3 * * *"\ntimezone = "Asia/Tokyo"\n'
    )
    elsewhere = settings.model_copy(update={"schedule_file": file})
    assert [name for name in beat_schedule(elsewhere) if "here" in name] == ["nightly-here"]
    assert beat_schedule(elsewhere)["nightly-here"]["args"] == ["here"]
    app = create_app(elsewhere)
    assert str(app.conf.timezone) == "Europe/Berlin"


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
