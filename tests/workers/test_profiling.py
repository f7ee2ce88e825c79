"""Profiles of a job's tasks: there where they are asked for, and never in the way."""

import logging
import sys
from pathlib import Path

import pytest

from interactions.dataset import Dataset
from store.jobs import Job
from topshelf.profiling.files import profiles_in
from workers import profiling
from workers.dispatch import Dispatcher
from workers.observing import TaskCall, observed
from workers.profiling import CHUNKS_PROFILED, folder_of_profiles, profiled
from workers.runtime import Runtime
from workers.tasks.evaluate import evaluate
from workers.tasks.train import train

TASKS = {"topshelf.train": train, "topshelf.evaluate": evaluate}


@pytest.fixture
def job(runtime: Runtime, dataset: Dataset) -> Job:
    """Of a training that asks for profiles."""
    job, _ = runtime.jobs.create("train", "item_knn", params={"profile": True})
    return job


def run(runtime: Runtime, dispatcher: Dispatcher, name: str, job: Job) -> None:
    with observed(runtime, TaskCall(name, (job.id,))):
        TASKS[name](runtime, dispatcher, job.id)


def pages(runtime: Runtime, job_id: str) -> list[str]:
    return sorted(page.name for page in profiles_in(folder_of_profiles(runtime.settings) / job_id))


def test_each_stage_of_a_job_that_asks_for_it_leaves_its_profile(
    runtime: Runtime, dispatcher: Dispatcher, job: Job
) -> None:
    for name in TASKS:
        run(runtime, dispatcher, name, job)
    assert runtime.jobs.get(job.id).state == "succeeded"
    assert pages(runtime, job.id) == ["evaluate-1.html", "train-1.html"]
    speedscope = folder_of_profiles(runtime.settings) / job.id / "train-1.speedscope.json"
    assert "fit_and_evaluate" in speedscope.read_text()


def test_a_job_that_does_not_ask_is_not_profiled(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job, _ = runtime.jobs.create("train", "item_knn", params={"profile": False})
    run(runtime, dispatcher, "topshelf.train", job)
    assert not folder_of_profiles(runtime.settings).exists()


def test_only_the_first_chunks_are_profiled(runtime: Runtime, job: Job) -> None:
    for chunk in (0, CHUNKS_PROFILED - 1, CHUNKS_PROFILED):
        with profiled(runtime, TaskCall("topshelf.precompute_chunk", (job.id, "g1", chunk))):
            sum(number**0.5 for number in range(300_000))
    assert pages(runtime, job.id) == ["chunk-0.html", f"chunk-{CHUNKS_PROFILED - 1}.html"]


@pytest.mark.parametrize(
    "call",
    [
        TaskCall("topshelf.drain", ()),
        TaskCall("topshelf.nightly", ("2026-01-01",)),
        TaskCall("topshelf.train", ("nobody",)),
    ],
)
def test_tasks_without_a_job_run_as_they_are(runtime: Runtime, call: TaskCall) -> None:
    with profiled(runtime, call):
        assert sys.getprofile() is None


def test_the_error_of_a_task_is_its_own_and_its_profile_is_kept(runtime: Runtime, job: Job) -> None:
    with pytest.raises(ZeroDivisionError), profiled(runtime, TaskCall("topshelf.train", (job.id,))):
        divmod(1, sum(number - number for number in range(300_000)))
    assert pages(runtime, job.id) == ["train-1.html"]


def test_without_a_profiler_the_task_goes_on_and_the_log_says_what_to_install(
    runtime: Runtime,
    dispatcher: Dispatcher,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(profiling, "is_installed", lambda: False)
    run(runtime, dispatcher, "topshelf.train", job)
    assert runtime.jobs.get(job.id).stage == "evaluate"
    assert "pip install 'topshelf[watch]'" in caplog.text


def test_another_profiler_at_work_is_left_alone(
    runtime: Runtime, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    other = lambda *_: None  # noqa: E731
    sys.setprofile(other)
    try:
        with profiled(runtime, TaskCall("topshelf.train", (job.id,))):
            assert sys.getprofile() is other
    finally:
        sys.setprofile(None)
    assert "another profiler is at work" in caplog.text


def test_a_profiler_that_does_not_start_leaves_the_task_unprofiled(
    runtime: Runtime, job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("There is already a profiler running.")

    monkeypatch.setattr("topshelf.profiling.bounded.BoundedProfiler.start", refuse)
    with profiled(runtime, TaskCall("topshelf.train", (job.id,))):
        pass
    assert "is not profiled: There is already a profiler running." in caplog.text


def test_a_disk_that_takes_no_more_costs_the_profile_alone(
    runtime: Runtime, dispatcher: Dispatcher, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    folder = folder_of_profiles(runtime.settings)
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        run(runtime, dispatcher, "topshelf.train", job)
    assert runtime.jobs.get(job.id).stage == "evaluate"
    assert f"job {job.id}: the profile of train-1 is lost" in caplog.text


def test_an_id_that_names_another_folder_stays_in_the_folder_of_profiles(
    runtime: Runtime, dataset: Dataset
) -> None:
    runtime.jobs.create("train", "item_knn", params={"profile": True}, job_id="..")
    with profiled(runtime, TaskCall("topshelf.train", ("..",))):
        sum(number**0.5 for number in range(300_000))
    [folder] = folder_of_profiles(runtime.settings).iterdir()
    assert Path(folder).name == "%2E%2E"
