"""Which nightly run is begun when: once a date, caught up once, never overlapped."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from interactions.dataset import Dataset
from store.night import NightlyRun
from tests.waiting import wait_until
from topshelf.errors import NightAtWork
from topshelf.settings import Settings
from workers.dispatch import Dispatcher
from workers.night_outcomes import end_of
from workers.nights import (
    Clock,
    begin,
    begin_missed,
    cancel_run,
    due_by_hand,
    follow,
    job_id_of,
    run_id_of,
    start_models,
)
from workers.runtime import Runtime
from workers.schedules import Schedule, schedules_of
from workers.tasks.nightly import nightly_run

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "nightly_timezone": "Europe/Berlin",
            "nightly_cron": "30 2 * * *",
            "models": ("popular", "item_knn"),
        }
    )


@pytest.fixture
def schedule(settings: Settings) -> Schedule:
    return schedules_of(settings).get("nightly")


def at(moment: str, fold: int = 0) -> dt.datetime:
    return dt.datetime.fromisoformat(moment).replace(tzinfo=BERLIN, fold=fold)


def showing(moment: dt.datetime) -> Clock:
    """A clock that stands still."""
    return lambda _: moment


def looked_at(runtime: Runtime, *moments: dt.datetime) -> list[NightlyRun]:
    """What was begun by looking at those moments, one after another."""
    return [run for moment in moments for run in begin_missed(runtime, showing(moment))]


def end(runtime: Runtime, *runs: NightlyRun) -> None:
    for run in runs:
        runtime.nights.finish(run.id, "succeeded")


def test_a_schedule_that_is_new_catches_nothing_up(runtime: Runtime) -> None:
    assert looked_at(runtime, at("2026-11-23T12:00"), at("2026-11-24T02:29")) == []


def test_what_is_due_is_begun_once(runtime: Runtime) -> None:
    moments = [at("2026-11-23T12:00"), at("2026-11-24T02:30"), at("2026-11-24T02:31"), at("2026-11-24T23:59")]
    [run] = looked_at(runtime, *moments)
    assert (run.id, run.trigger) == ("nightly-2026-11-24", "clock")
    assert run.due == "2026-11-24T01:30:00+00:00"


def test_of_several_missed_runs_the_last_is_caught_up(runtime: Runtime) -> None:
    [run] = looked_at(runtime, at("2026-11-20T12:00"), at("2026-11-24T09:00"), at("2026-11-24T09:01"))
    assert (run.id, run.trigger) == ("nightly-2026-11-24", "catch_up")


def test_a_schedule_that_catches_nothing_up_waits_for_the_next(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "schedule.toml"
    file.write_text(
        '[defaults]\ntimezone = "Europe/Berlin"\ncatch_up = false\n'
        '[schedules.nightly]\ncron = "30 2 * * *"\nmodels = ["als"]\n'
    )
    runtime = Runtime(settings.model_copy(update={"schedule_file": file}))
    [run] = looked_at(runtime, at("2026-11-20T12:00"), at("2026-11-24T09:00"), at("2026-11-25T02:30"))
    assert (run.id, run.trigger) == ("nightly-2026-11-25", "clock")


def test_a_cron_that_changed_begins_afresh(runtime: Runtime, settings: Settings) -> None:
    looked_at(runtime, at("2026-11-23T12:00"))
    changed = Runtime(settings.model_copy(update={"nightly_cron": "30 10 * * *"}))
    assert looked_at(changed, at("2026-11-24T12:00")) == []


def test_a_run_whose_record_was_dropped_is_not_begun_again(settings: Settings) -> None:
    monthly = Runtime(settings.model_copy(update={"nightly_cron": "0 3 1 * *"}))
    [run] = looked_at(monthly, at("2026-09-30T12:00"), at("2026-10-01T03:00"))
    end(monthly, run)
    monthly.durable.delete(monthly.keys.night(run.id), monthly.keys.nights, monthly.keys.nights_open)
    assert looked_at(monthly, at("2026-10-31T12:00")) == []
    [following] = looked_at(monthly, at("2026-11-01T03:00"))
    assert (following.id, following.trigger) == ("nightly-2026-11-01", "clock")


def test_a_run_that_is_not_caught_up_is_no_longer_expected(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "schedule.toml"
    file.write_text('[schedules.nightly]\ncron = "30 2 * * *"\nmodels = ["als"]\ncatch_up = false\n')
    runtime = Runtime(settings.model_copy(update={"schedule_file": file}))
    looked_at(runtime, at("2026-11-20T12:00"), at("2026-11-24T09:00"))
    noted = runtime.nights.schedules.all()["nightly"]
    assert noted.expected == at("2026-11-25T02:30").timestamp()


def test_an_hour_the_clock_leaves_out_has_its_run(runtime: Runtime) -> None:
    hours = [at("2026-03-28T12:00"), at("2026-03-29T01:59"), at("2026-03-29T03:30"), at("2026-03-29T23:00")]
    assert [run.id for run in looked_at(runtime, *hours)] == ["nightly-2026-03-29"]


def test_an_hour_that_comes_twice_has_one_run(runtime: Runtime) -> None:
    hours = [
        at("2026-10-24T12:00"),
        *(at(f"2026-10-25T02:{minute}", fold) for fold in (0, 1) for minute in (10, 30)),
    ]
    [run] = looked_at(runtime, *hours)
    assert (run.id, run.due) == ("nightly-2026-10-25", "2026-10-25T00:30:00+00:00")


def test_a_run_due_while_the_one_before_is_at_work_is_recorded_as_skipped(runtime: Runtime) -> None:
    [first] = looked_at(runtime, at("2026-11-23T12:00"), at("2026-11-24T02:30"))
    assert looked_at(runtime, at("2026-11-25T02:30")) == []
    skipped = runtime.nights.get("nightly-2026-11-25")
    assert (skipped.state, skipped.reason) == ("skipped", f"{first.id} was still at work")
    end(runtime, first)
    assert looked_at(runtime, at("2026-11-25T02:40")) == []
    [third] = looked_at(runtime, at("2026-11-26T02:30"))
    assert third.id == "nightly-2026-11-26"


def test_schedules_do_not_wait_for_one_another(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "schedule.toml"
    file.write_text(
        '[defaults]\ntimezone = "Europe/Berlin"\n'
        '[schedules.one]\ncron = "30 2 * * *"\nmodels = ["als"]\n'
        '[schedules.two]\ncron = "30 2 * * *"\nmodels = ["popular"]\n'
    )
    runtime = Runtime(settings.model_copy(update={"schedule_file": file}))
    first, later = at("2026-11-23T12:00"), at("2026-11-24T02:30")
    begun = looked_at(runtime, first, later)
    assert [run.id for run in begun] == ["one-2026-11-24", "two-2026-11-24"]


def test_a_schedule_due_more_than_once_a_day_has_the_time_in_its_ids(schedule: Schedule) -> None:
    twice = schedule.model_copy(update={"cron": "0 3,15 * * *"})
    assert run_id_of(twice, at("2026-11-24T15:00")) == "nightly-2026-11-24T1500"
    assert due_by_hand(twice, dt.date(2026, 1, 5)) == at("2026-01-05T15:00")


def test_a_run_by_hand_is_that_dates_run(runtime: Runtime, schedule: Schedule) -> None:
    looked_at(runtime, at("2026-11-23T12:00"))
    due = due_by_hand(schedule, dt.date(2026, 11, 24))
    run, created = begin(runtime, schedule, due, "hand")
    assert (run.id, run.trigger, created) == ("nightly-2026-11-24", "hand", True)
    assert not begin(runtime, schedule, due, "hand")[1]
    assert looked_at(runtime, at("2026-11-24T02:30")) == []


def test_a_run_that_is_over_may_be_wanted_again(runtime: Runtime, schedule: Schedule) -> None:
    due = due_by_hand(schedule, dt.date(2026, 11, 24))
    first, _ = begin(runtime, schedule, due, "hand")
    assert begin(runtime, schedule, due, "hand", again=True)[0].id == first.id
    end(runtime, first)
    second, created = begin(runtime, schedule, due, "hand", again=True)
    assert (second.id, created) == ("nightly-2026-11-24.2", True)


def test_by_hand_no_run_is_begun_beside_another(runtime: Runtime, schedule: Schedule) -> None:
    first, _ = begin(runtime, schedule, at("2026-11-24T02:30"), "clock")
    with pytest.raises(NightAtWork, match=first.id):
        begin(runtime, schedule, due_by_hand(schedule, dt.date(2026, 11, 25)), "hand")
    assert not runtime.nights.exists("nightly-2026-11-25")


def test_a_model_that_another_job_is_at_work_on_is_skipped(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    runtime.jobs.create("pipeline", "item_knn", job_id="mine")
    run = in_models(runtime, schedule, dataset)
    start_models(runtime, dispatcher, run)
    start_models(runtime, dispatcher, runtime.nights.get(run.id))
    models = runtime.nights.get(run.id).models
    assert (models["popular"].state, models["popular"].job) == ("queued", "nightly-2026-11-24-popular")
    assert (models["item_knn"].state, models["item_knn"].reason) == ("skipped", "job mine was at work on it")
    assert dispatcher.waiting("io") == 1


def test_jobs_that_were_not_begun_when_a_worker_died_are_begun_by_another(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    run = in_models(runtime, schedule, dataset)
    follow(runtime, dispatcher)
    assert dispatcher.waiting("io") == 0

    def sent_again() -> bool:
        follow(runtime, dispatcher)
        return dispatcher.waiting("io") == 1

    wait_until(sent_again, "the run silent for a lease")
    nightly_run(runtime, dispatcher, run.id)
    nightly_run(runtime, dispatcher, run.id)
    assert dispatcher.waiting("io") == 3
    assert {job.params["dataset"] for job in runtime.jobs.active()} == {dataset.version}
    assert {job.trace for job in runtime.jobs.active()} == {run.id}


def test_a_run_whose_schedule_was_taken_out_publishes_nothing_by_other_rules(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    run = in_models(runtime, schedule.model_copy(update={"name": "weekly"}), dataset)
    start_models(runtime, dispatcher, run)
    outcomes = runtime.nights.get(run.id).models.values()
    assert {(outcome.state, outcome.job) for outcome in outcomes} == {("skipped", "")}
    assert "taken out" in end_of(runtime.nights.get(run.id))[1]


def test_a_cancelled_run_ends_once_its_jobs_have_stopped(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    run = in_models(runtime, schedule, dataset)
    start_models(runtime, dispatcher, run)
    running, queued = (job_id_of(run, model) for model in schedule.models)
    assert runtime.jobs.begin_stage(running, "train", 60)
    cancelled = cancel_run(runtime, run.id)
    assert cancelled == runtime.nights.get(run.id)
    assert (cancelled.over, cancelled.cancelled != "") == (False, True)
    assert [outcome.state for outcome in cancelled.models.values()] == ["cancelling", "cancelled"]
    assert runtime.jobs.get(queued).state == "cancelled"
    with pytest.raises(NightAtWork):
        begin(runtime, schedule, at("2026-11-25T02:30"), "hand")

    runtime.jobs.finish(running, "cancelled", error={"error_message": "it was stopped"})
    follow(runtime, dispatcher)
    ended = runtime.nights.get(run.id)
    assert (ended.state, ended.reason) == ("failed", "popular cancelled: it was stopped; item_knn cancelled")
    assert cancel_run(runtime, run.id) == ended


def test_what_is_published_while_its_run_is_cancelled_is_said(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    run = in_models(runtime, schedule, dataset)
    start_models(runtime, dispatcher, run)
    publishing = job_id_of(run, schedule.models[0])
    assert runtime.jobs.begin_stage(publishing, "train", 60)
    cancel_run(runtime, run.id)
    runtime.jobs.finish(publishing, "succeeded", result={"generation": "7"})
    follow(runtime, dispatcher)
    [recorded] = runtime.nights.list()
    first, second = recorded.models.values()
    assert (first.state, first.generation, second.state) == ("succeeded", "7", "cancelled")
    assert (recorded.state, recorded.reason) == ("failed", "item_knn cancelled")


def test_a_run_cancelled_between_stages_goes_no_further(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    run = in_models(runtime, schedule, dataset)
    runtime.nights.update(run.id, cancelled="2026-11-24T02:31:00")  # and whoever did it died
    nightly_run(runtime, dispatcher, run.id)
    assert runtime.jobs.list() == []
    [ended] = runtime.nights.list()
    assert ended.state == "failed"
    assert {outcome.state for outcome in ended.models.values()} == {"cancelled"}


def test_no_job_is_begun_for_a_run_that_was_cancelled_meanwhile(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    run = in_models(runtime, schedule, dataset)
    cancel_run(runtime, run.id)
    start_models(runtime, dispatcher, run)
    assert runtime.jobs.list() == []


def test_a_job_begun_beside_the_end_of_its_run_is_cancelled(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    run = in_models(runtime, schedule, dataset)
    end(runtime, run)
    start_models(runtime, dispatcher, run)
    assert [job.state for job in runtime.jobs.list()] == ["cancelled"]


def test_a_job_that_its_run_does_not_know_of_yet_is_cancelled_with_it(
    runtime: Runtime, dispatcher: Dispatcher, schedule: Schedule, dataset: Dataset
) -> None:
    run = in_models(runtime, schedule, dataset)
    job, _ = runtime.jobs.create("pipeline", "popular", job_id=job_id_of(run, "popular"), trace=run.id)
    cancel_run(runtime, run.id)
    assert runtime.jobs.get(job.id).state == "cancelled"


def test_a_run_that_is_over_is_not_cancelled(runtime: Runtime, schedule: Schedule) -> None:
    run, _ = begin(runtime, schedule, at("2026-11-24T02:30"), "clock")
    end(runtime, run)
    cancelled = cancel_run(runtime, run.id)
    assert (cancelled.state, cancelled.cancelled) == ("succeeded", "")


def in_models(runtime: Runtime, schedule: Schedule, dataset: Dataset) -> NightlyRun:
    """A run whose worker died when the dataset was there and no job yet."""
    run, _ = begin(runtime, schedule, at("2026-11-24T02:30"), "clock")
    assert runtime.nights.begin_stage(run.id, "drain", 60)
    runtime.nights.update(run.id, dataset=dataset.version)
    runtime.nights.advance(run.id, "drain", "dataset")
    runtime.nights.advance(run.id, "dataset", "models")
    return runtime.nights.get(run.id)
