"""The nightly run."""

import datetime as dt

from interactions.dataset import Dataset
from store.events import Event
from tests.workers.conftest import StartWorker, finished, succeeded
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.nightly import nightly


def test_a_nightly_message_that_comes_twice_starts_its_run_once(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    nightly(runtime, dispatcher)
    nightly(runtime, dispatcher)
    jobs = runtime.jobs.list(limit=100)
    assert sorted(job.model for job in jobs) == sorted(runtime.settings.models)
    assert dispatcher.waiting("io") == len(runtime.settings.models)


def test_the_nightly_run_trains_on_the_events_that_came_in(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    user, item = dataset.users.ids_of([0])[0], 10**6
    now = dt.datetime.now(dt.UTC).isoformat()
    runtime.events.append([Event("e1", user, item, now, 1.0), Event("e1", user, item, now, 1.0)])
    nightly(runtime, dispatcher)
    latest = runtime.datasets.latest()
    assert latest.manifest.parent == dataset.version
    assert latest.manifest.n_interactions == dataset.manifest.n_interactions + 1
    assert latest.items.index_of(item) is not None
    assert runtime.events.length() == 0
    start_worker()
    jobs = succeeded(runtime, *(job.id for job in runtime.jobs.list(limit=100)))
    assert {job.dataset for job in jobs} == {latest.version}


def test_without_a_dataset_the_models_jobs_do_not_begin(
    runtime: Runtime, dispatcher: Dispatcher, start_worker: StartWorker
) -> None:
    start_worker()
    job, _ = runtime.jobs.create("pipeline", "als")
    dispatcher.start(job.id)
    [job] = finished(runtime, job.id)
    assert job.error is not None
    assert job.error["error_key"] == "dataset_not_found"
