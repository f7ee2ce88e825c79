"""Nightly runs by command."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from store.night import EndState, ModelOutcome
from tests.topshelf.cli.outcome import Topshelf
from topshelf.settings import Settings
from workers.cron import now_in
from workers.nights import with_outcomes
from workers.runtime import Runtime

Environ = Callable[..., None]


@pytest.fixture
def runtime(environ: Environ, on_redis: None) -> Runtime:
    environ(models="popular,als", nightly_timezone="Asia/Tokyo")
    return Runtime(Settings.from_environment())


@contextmanager
def ending(runtime: Runtime, run_id: str, state: EndState, reason: str = "") -> Iterator[None]:
    """Somebody who ends a run once it is there, as workers do."""
    done = threading.Event()

    def end() -> None:
        while not done.is_set():
            if runtime.nights.exists(run_id) and runtime.nights.finish(run_id, state, reason):
                return
            time.sleep(0.01)

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_run_by_hand_is_begun_once_a_date(topshelf: Topshelf, runtime: Runtime) -> None:
    first = topshelf("nightly", "--date", "2026-11-24", "--no-wait")
    assert first.exit_code == 0
    assert "nightly run nightly-2026-11-24 is begun" in first.out
    assert "was begun before and is at drain" in topshelf("nightly", "--date", "2026-11-24", "--no-wait").out
    answer = topshelf("nightly", "--date", "2026-11-24", "--no-wait", "--json").answer
    assert (answer["id"], answer["trigger"], answer["state"]) == ("nightly-2026-11-24", "hand", "queued")
    assert runtime.durable.llen("io") == 1


def test_without_a_date_it_is_todays_in_the_schedules_zone(topshelf: Topshelf, runtime: Runtime) -> None:
    before = f"{now_in('Asia/Tokyo'):%Y-%m-%d}"
    answer = topshelf("nightly", "--no-wait", "--json").answer
    assert answer["date"] in {before, f"{now_in('Asia/Tokyo'):%Y-%m-%d}"}


def test_who_waits_is_told_how_it_ended(topshelf: Topshelf, runtime: Runtime) -> None:
    with ending(runtime, "nightly-2026-11-24", "succeeded"):
        ended = topshelf("nightly", "--date", "2026-11-24")
    assert (ended.exit_code, ended.out) == (0, "nightly run nightly-2026-11-24 succeeded\n")


def test_a_run_that_failed_ends_with_6_and_so_does_who_joins_it(topshelf: Topshelf, runtime: Runtime) -> None:
    with ending(runtime, "nightly-2026-11-24", "failed", "als refused: too little"):
        failed = topshelf("nightly", "--date", "2026-11-24", "--json")
    assert failed.exit_code == 6
    assert failed.answer["state"] == "failed"
    assert "als refused: too little" in failed.error["error_message"]
    assert topshelf("nightly", "--date", "2026-11-24").exit_code == 6
    with ending(runtime, "nightly-2026-11-24.2", "succeeded"):
        assert topshelf("nightly", "--date", "2026-11-24", "--again").exit_code == 0


def test_beside_a_run_at_work_none_is_begun_by_hand(topshelf: Topshelf, runtime: Runtime) -> None:
    topshelf("nightly", "--date", "2026-11-24", "--no-wait")
    refused = topshelf("nightly", "--date", "2026-11-25", "--no-wait", "--json")
    assert (refused.exit_code, refused.error["error_key"]) == (6, "night_at_work")


@pytest.mark.parametrize(
    ("arguments", "said"), [(["weekly"], "there is no schedule 'weekly'"), (["--date", "24.11."], "--date")]
)
def test_a_schedule_or_date_that_is_none_is_a_wrong_argument(
    topshelf: Topshelf, runtime: Runtime, arguments: list[str], said: str
) -> None:
    refused = topshelf("nightly", *arguments, "--no-wait")
    assert refused.exit_code == 2
    assert said in refused.err
    assert runtime.nights.list() == []


def test_no_nights_are_said(topshelf: Topshelf, runtime: Runtime) -> None:
    assert topshelf("nights").out == "no nightly runs; begin one with: topshelf nightly\n"
    assert topshelf("nights", "--json").answer == []


def test_nights_are_listed_and_shown_model_by_model(topshelf: Topshelf, runtime: Runtime) -> None:
    topshelf("nightly", "--date", "2026-11-24", "--no-wait")
    models = {
        "popular": ModelOutcome("popular", "succeeded", "j1", "publish", generation="7", seconds=61),
        "als": ModelOutcome("als", "refused", "j2", "evaluate", "too little"),
    }
    runtime.nights.update("nightly-2026-11-24", models=models)
    runtime.nights.finish("nightly-2026-11-24", "failed", "als refused: too little")
    listed = topshelf("nights").out
    assert "nightly-2026-11-24" in listed
    assert "popular, als (refused)" in listed
    [document] = topshelf("nights", "--json").answer
    assert [model["state"] for model in document["models"]] == ["succeeded", "refused"]
    shown = topshelf("nights", "nightly-2026-11-24").out
    assert "0:01:01" in shown
    assert "too little" in shown
    assert topshelf("nights", "--schedule", "weekly", "--json").answer == []
    assert topshelf("nights", "gone").exit_code == 5


def test_a_run_under_way_shows_how_far_its_jobs_are(topshelf: Topshelf, runtime: Runtime) -> None:
    topshelf("nightly", "--date", "2026-11-24", "--no-wait")
    job, _ = runtime.jobs.create("pipeline", "als", job_id="j")
    runtime.nights.update("nightly-2026-11-24", models={"als": ModelOutcome("als", "queued", job.id)})
    assert runtime.jobs.begin_stage(job.id, "train", 60)
    [model] = topshelf("nights", "nightly-2026-11-24", "--json").answer["models"]
    assert (model["state"], model["step"]) == ("running", "train")
    assert with_outcomes(runtime, runtime.nights.get("nightly-2026-11-24")).models["als"].state == "running"


def test_a_run_is_cancelled_with_its_jobs(topshelf: Topshelf, runtime: Runtime) -> None:
    topshelf("nightly", "--date", "2026-11-24", "--no-wait")
    job, _ = runtime.jobs.create("pipeline", "als", job_id="nightly-2026-11-24-als")
    assert runtime.jobs.begin_stage(job.id, "train", 60)
    assert "ends once its jobs have stopped" in topshelf("nights", "nightly-2026-11-24", "--cancel").out
    assert "ends once its jobs have stopped" in topshelf("nightly", "--date", "2026-11-24", "--no-wait").out
    assert topshelf("nightly", "--date", "2026-11-25", "--no-wait").exit_code == 6
    runtime.jobs.finish(job.id, "cancelled")
    ended = topshelf("nights", "nightly-2026-11-24", "--cancel", "--json").answer
    assert [model["state"] for model in ended["models"]] == ["cancelled", "cancelled"]
    assert (ended["state"], ended["reason"]) == (
        "failed",
        "popular cancelled: it had not begun; als cancelled",
    )
    assert "failed: popular cancelled" in topshelf("nights", "nightly-2026-11-24", "--cancel").out
    assert topshelf("nights", "gone", "--cancel").exit_code == 5
    assert "topshelf nights RUN --cancel" in topshelf("nights", "--cancel").err
    assert topshelf("nightly", "--date", "2026-11-24", "--again", "--no-wait").exit_code == 0


def test_what_is_due_next_is_said(topshelf: Topshelf, runtime: Runtime) -> None:
    [schedule] = topshelf("schedules", "--json").answer
    assert schedule["next"].endswith("T03:00+09:00")
    assert "Asia/Tokyo" in topshelf("schedules").out


@pytest.mark.parametrize("command", ["worker", "beat", "up", "nightly", "schedules"])
def test_faults_of_the_schedule_file_stop_the_start(
    topshelf: Topshelf, environ: Environ, on_redis: None, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "schedule.toml"
    file.write_text('[schedules.nightly]\ncron = "0 99 * * *"\nmodels = ["alz"]\n')
    environ(schedule_file=file)
    refused = topshelf(command)
    assert refused.exit_code == 2
    assert "schedules.nightly.cron: '0 99 * * *' is no schedule" in refused.err
    assert "did you mean 'als'" in refused.err
