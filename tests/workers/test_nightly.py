"""The nightly run."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from interactions.dataset import Dataset
from store.events import Event
from store.night import NightlyRun
from tests.waiting import wait_until
from tests.workers.conftest import StartWorker, finished, long_known
from tests.workers.receiver import receiving
from topshelf.settings import Settings
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.nights import begin, begin_missed, due_by_hand
from workers.runtime import Runtime
from workers.schedules import schedules_of
from workers.tasks.nightly import nightly, nightly_run
from workers.tasks.reconcile import reconcile

KILLED_EVENTS = 60_000

SCHEDULES = """
[schedules.nightly]
cron = "0 3 * * *"
models = ["popular", "als"]

[schedules.strict]
cron = "0 4 * * *"
models = ["als", "popular"]
gate_tolerance = 0.99
min_overlap = 1.0
config.als.factors = 2
"""


def over(runtime: Runtime, dispatcher: Dispatcher, run_id: str) -> NightlyRun:
    """A run once it is over, looked after as beat has it done."""

    def is_over() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.nights.get(run_id).over

    wait_until(is_over, f"{run_id} over")
    return runtime.nights.get(run_id)


def test_a_nightly_message_that_comes_twice_starts_its_run_once(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    long_known(runtime)
    nightly(runtime, dispatcher)
    nightly(runtime, dispatcher)
    jobs = runtime.jobs.list(limit=100)
    assert sorted(job.model for job in jobs) == sorted(runtime.settings.models)
    assert dispatcher.waiting("io") == len(runtime.settings.models)
    assert len(runtime.nights.list()) == 1


def test_the_nightly_run_trains_on_the_events_that_came_in(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    user, item = dataset.users.ids_of([0])[0], 10**6
    now = dt.datetime.now(dt.UTC).isoformat()
    runtime.events.append([Event("e1", user, item, now, 1.0), Event("e1", user, item, now, 1.0)])
    long_known(runtime)
    nightly(runtime, dispatcher)
    latest = runtime.datasets.latest()
    assert latest.manifest.parent == dataset.version
    assert latest.manifest.n_interactions == dataset.manifest.n_interactions + 1
    assert latest.items.index_of(item) is not None
    assert runtime.events.length() == 0
    jobs = runtime.jobs.list(limit=100)
    assert {job.params["dataset"] for job in jobs} == {latest.version}


def test_without_a_dataset_the_models_jobs_do_not_begin(
    runtime: Runtime, dispatcher: Dispatcher, start_worker: StartWorker
) -> None:
    start_worker()
    job, _ = runtime.jobs.create("pipeline", "als")
    dispatcher.start(job.id)
    [job] = finished(runtime, job.id)
    assert job.error is not None
    assert job.error["error_key"] == "dataset_not_found"


def test_without_a_dataset_the_run_fails_and_says_so(runtime: Runtime, dispatcher: Dispatcher) -> None:
    long_known(runtime)
    nightly(runtime, dispatcher)
    [run] = runtime.nights.list()
    assert run.state == "failed"
    assert run.reason.startswith("dataset: there is no dataset")


def test_a_run_goes_from_events_to_lists_and_tells_how_it_went(
    settings: Settings, tmp_path: Path, dataset: Dataset, start_worker: StartWorker
) -> None:
    """One that succeeds, then one of which the gate refuses a model: the other is published all the same."""
    (tmp_path / "schedule.toml").write_text(SCHEDULES)
    with receiving() as receiver:
        told = settings.model_copy(
            update={
                "schedule_file": tmp_path / "schedule.toml",
                "webhook_urls": (SecretStr(receiver.url),),
            }
        )
        runtime, app = Runtime(told), create_app(told)
        dispatcher = Dispatcher(app)
        start_worker("worker", settings=told)
        runtime.events.append([Event("e1", 1, 10**6, "2026-11-01T00:00:00+00:00", 1.0)])
        long_known(runtime)
        nightly(runtime, dispatcher, "nightly")
        first = over(runtime, dispatcher, runtime.nights.list()[0].id)
        assert (first.state, first.stage, first.reason) == ("succeeded", "retire", "")
        assert {each.model: (each.state, each.step, each.generation) for each in first.models.values()} == {
            "popular": ("succeeded", "publish", "1"),
            "als": ("succeeded", "publish", "1"),
        }
        assert first.models["als"].metrics
        assert first.models["als"].gate.startswith("the candidate")
        assert first.models["als"].seconds
        assert runtime.datasets.open(first.dataset).manifest.parent == dataset.version
        jobs = [runtime.jobs.get(outcome.job) for outcome in first.models.values()]
        assert {job.dataset for job in jobs} == {first.dataset}

        long_known(runtime, "strict")
        nightly(runtime, dispatcher, "strict")
        second = over(runtime, dispatcher, runtime.nights.list(schedule="strict")[0].id)
        assert second.state == "failed"
        assert second.reason.startswith("als refused: ")
        assert (second.models["als"].state, second.models["popular"].state) == ("refused", "succeeded")
        assert [str(runtime.generations.pointer(model)) for model in ("als", "popular")] == ["1", "2"]

        def all_told() -> bool:
            reconcile(runtime, dispatcher)
            return len(receiver.taken) == 5

        wait_until(all_told, "the receiver told")
        assert sorted(receiver.events) == ["failed", "refused", "started", "started", "succeeded"]
        [refused] = [taken.notice for taken in receiver.taken if taken.notice["event"] == "refused"]
        assert (refused["run"], refused["model"]) == (second.id, "als")
        app.close()


def test_a_run_whose_worker_died_in_the_middle_of_a_stage_is_gone_on_with(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    schedule = schedules_of(runtime.settings).get("nightly")
    runtime.events.append([Event("e1", 1, 10**6, "2026-11-01T00:00:00+00:00", 1.0)])
    run, _ = begin(runtime, schedule, dt.datetime.now(dt.UTC), "clock")
    assert runtime.nights.begin_stage(run.id, "drain", 0.01)
    assert len(runtime.events.read_batch(10)) == 1

    def sent_again() -> bool:
        reconcile(runtime, dispatcher)
        return dispatcher.waiting("io") == 1

    wait_until(sent_again, "the run sent again")
    nightly_run(runtime, dispatcher, run.id)
    found = runtime.nights.get(run.id)
    assert (found.stage, found.dataset) == ("models", runtime.datasets.latest().version)
    assert runtime.datasets.latest().items.index_of(10**6) is not None
    assert {outcome.state for outcome in found.models.values()} == {"queued"}


@pytest.mark.kills
def test_a_worker_killed_while_it_drains_loses_neither_the_run_nor_an_event(
    settings: Settings, dataset: Dataset, start_worker: StartWorker
) -> None:
    one_model = settings.model_copy(update={"models": ("popular",)})
    runtime, app = Runtime(one_model), create_app(one_model)
    dispatcher = Dispatcher(app)
    user = dataset.users.ids_of([0])[0]
    for first in range(0, KILLED_EVENTS, 5_000):
        runtime.events.append(
            [
                Event(f"e{number}", user, 10**6 + number, "2026-11-01T00:00:00+00:00", 1.0)
                for number in range(first, first + 5_000)
            ]
        )
    run, _ = begin(runtime, schedules_of(one_model).get("nightly"), dt.datetime.now(dt.UTC), "clock")
    dispatcher.night(run.id)
    worker = start_worker("worker", settings=one_model)
    wait_until(lambda: runtime.events.length() < KILLED_EVENTS, "the drain under way")
    worker.kill()
    assert runtime.nights.get(run.id).stage == "drain"
    assert runtime.events.length() > 0
    start_worker("worker", settings=one_model)
    ended = over(runtime, dispatcher, run.id)
    assert (ended.state, ended.reason) == ("succeeded", "")
    drained = runtime.datasets.open(ended.dataset)
    assert drained.manifest.n_interactions == dataset.manifest.n_interactions + KILLED_EVENTS
    assert runtime.events.length() == 0
    app.close()


def test_a_stage_that_never_ends_fails_the_run_after_five_attempts(
    runtime: Runtime, dispatcher: Dispatcher, settings: Settings
) -> None:
    schedule = schedules_of(settings).get("nightly")
    run, _ = begin(runtime, schedule, due_by_hand(schedule, dt.date(2026, 11, 24)), "clock")
    hasty = Runtime(settings.model_copy(update={"lease_seconds": 0.001}))
    for _ in range(5):
        assert hasty.nights.begin_stage(run.id, "drain", 0.001)
        wait_until(lambda: hasty.nights.is_stalled(hasty.nights.get(run.id)), "the lease over")
    reconcile(hasty, dispatcher)
    assert runtime.nights.get(run.id).reason == "drain was tried 5 times and never ended"


def test_two_workers_do_not_work_on_one_stage(
    runtime: Runtime, dispatcher: Dispatcher, settings: Settings, dataset: Dataset
) -> None:
    schedule = schedules_of(settings).get("nightly")
    run, _ = begin(runtime, schedule, due_by_hand(schedule, dt.date(2026, 11, 24)), "clock")
    assert runtime.nights.begin_stage(run.id, "drain", 60)
    nightly_run(runtime, dispatcher, run.id)
    assert (runtime.nights.get(run.id).stage, runtime.jobs.list()) == ("drain", [])


def test_a_message_of_a_schedule_that_is_gone_begins_nothing(
    runtime: Runtime, dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    nightly(runtime, dispatcher, "weekly")
    assert runtime.nights.list() == []
    assert "no schedule weekly is due" in caplog.text


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[dt.datetime], None]:
    """Sets the clock of the worker that takes a message of beat."""

    def showing(moment: dt.datetime) -> None:
        monkeypatch.setattr("workers.tasks.nightly.now_in", lambda _: moment)

    return showing


def test_a_clock_behind_beats_begins_no_run_of_the_day_before(
    runtime: Runtime, dispatcher: Dispatcher, clock: Callable[[dt.datetime], None]
) -> None:
    due = dt.datetime(2026, 11, 24, 3, tzinfo=dt.UTC)
    for day in range(2):
        begin_missed(runtime, lambda _: due - dt.timedelta(hours=15))
        clock(due + dt.timedelta(days=day, seconds=-2))
        nightly(runtime, dispatcher)
        assert len(runtime.nights.list()) == day
        clock(due + dt.timedelta(days=day))
        nightly(runtime, dispatcher)
        [run, *_] = runtime.nights.list()
        assert (run.id, run.trigger) == (f"nightly-2026-11-{24 + day}", "clock")


def test_the_message_of_a_schedule_nobody_looked_after_yet_begins_its_run(
    runtime: Runtime, dispatcher: Dispatcher, clock: Callable[[dt.datetime], None]
) -> None:
    clock(dt.datetime(2026, 11, 24, 3, 0, 1, tzinfo=dt.UTC))
    nightly(runtime, dispatcher)
    assert [run.id for run in runtime.nights.list()] == ["nightly-2026-11-24"]
