"""Beat: one active of several, entries that follow the settings."""

from pathlib import Path

import pytest
from redbeat import RedBeatScheduler, RedBeatSchedulerEntry

from tests.waiting import wait_until
from tests.workers.conftest import StartWorker, WorkerProcess
from topshelf.settings import Settings
from workers.beat import ReportingBeat
from workers.celery_app import TopshelfCelery, create_app
from workers.runtime import Runtime

SENT = "Sending due task reconcile"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"reconcile_seconds": 0.2})


def lock_key(app: TopshelfCelery) -> str:
    RedBeatSchedulerEntry("any", "any", app=app)
    return str(app.redbeat_conf.lock_key)


def sent(beat: WorkerProcess) -> int:
    return beat.log.read_text().count(SENT)


def test_of_several_beats_one_sends_and_another_takes_over_when_it_dies(
    settings: Settings, runtime: Runtime, app: TopshelfCelery, start_worker: StartWorker, tmp_path: Path
) -> None:
    first = start_worker("beat")
    wait_until(lambda: sent(first) > 0, "the first beat at work")
    second = start_worker("beat", settings=settings.model_copy(update={"data_dir": tmp_path / "second"}))
    wait_until(lambda: "beat: Starting..." in second.log.read_text(), "the second beat there")
    before = sent(first)
    wait_until(lambda: sent(first) > before + 5, "the first beat at work beside the second")
    assert sent(second) == 0
    messages = [str(message) for message in runtime.durable.lrange("io", 0, -1)]
    assert abs(sum('"task": "topshelf.reconcile"' in message for message in messages) - sent(first)) <= 1

    first.kill()
    assert runtime.durable.pexpire(lock_key(app), 1), "what the dead one's lock has left is cut short"
    wait_until(lambda: sent(second) > 0, "the second beat at work")

    runtime.durable.set(lock_key(app), "somebody else")
    wait_until(
        lambda: not second.alive, "the beat that lost its lock ended, for its supervisor to start anew"
    )
    assert "LockNotOwnedError" in second.log.read_text()


def nightly_entries(settings: Settings, file: Path) -> dict[str, str]:
    """What a beat that starts with a schedule file has in Redis of nightly runs, by name, with its cron."""
    app = create_app(settings.model_copy(update={"schedule_file": file}))
    RedBeatScheduler(app, lazy=True).setup_schedule()
    prefix = app.redbeat_conf.key_prefix
    listed = Runtime(settings).durable.zrange(app.redbeat_conf.schedule_key, 0, -1)
    names = [key.decode().removeprefix(prefix) for key in listed]  # type: ignore[union-attr]
    return {
        name: str(RedBeatSchedulerEntry.from_key(prefix + name, app=app).schedule)
        for name in names
        if name.startswith("nightly")
    }


def test_after_a_restart_beat_has_the_schedules_of_the_file_and_no_other(
    settings: Settings, tmp_path: Path
) -> None:
    before, after = tmp_path / "before.toml", tmp_path / "after.toml"
    before.write_text(
        '[defaults]\nmodels = ["als"]\n'
        '[schedules.nightly]\ncron = "0 3 * * *"\n'
        '[schedules.weekly]\ncron = "0 5 * * 0"\n'
    )
    after.write_text(
        '[defaults]\nmodels = ["als"]\n'
        '[schedules.nightly]\ncron = "15 4 * * *"\n'
        '[schedules.hourly]\ncron = "0 * * * *"\n'
    )
    first = nightly_entries(settings, before)
    assert (set(first), "0 3 * * *" in first["nightly"]) == ({"nightly", "nightly-weekly"}, True)
    second = nightly_entries(settings, after)
    assert (set(second), "15 4 * * *" in second["nightly"]) == ({"nightly", "nightly-hourly"}, True)


def test_celery_starts_the_beat_that_reports(settings: Settings) -> None:
    app = create_app(settings)
    assert issubclass(app.Beat, ReportingBeat)
    app.close()
