"""Incremental runs started by the clock."""

import datetime as dt

import pytest

from interactions.dataset import Dataset
from models.registry import create_model
from store.byte_strings import ByteStrings
from store.events import Event
from store.generations import Generation
from workers.dispatch import Dispatcher
from workers.opening import open_generation
from workers.runtime import Runtime
from workers.tasks.delta import start_deltas
from workers.tasks.drain import drain_events, refresh_dataset
from workers.tasks.pipeline import pipeline
from workers.tasks.precompute import precompute
from workers.tasks.publish import publish as run_publish


def publish(runtime: Runtime, dataset: Dataset, model: str) -> Generation:
    """A generation that is live, without rows."""
    fitted = create_model(model).fit(dataset.training_set())
    manifest = runtime.artifacts.save(
        fitted, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
    )
    job, _ = runtime.jobs.create("precompute", model)
    generation = open_generation(
        runtime,
        job,
        ByteStrings.of([]),
        n_items=dataset.manifest.n_items,
        k_store=3,
        layout="users",
        dataset=dataset.version,
        artifact=manifest.id,
        knn="",
        cut_off="",
    )
    runtime.generations.verify(model, generation.id)
    runtime.generations.publish(model, generation.id, generation.fence)
    runtime.jobs.finish(job.id, "succeeded")
    return generation


@pytest.fixture
def live(runtime: Runtime, dataset: Dataset) -> None:
    """Of the models of the nightly run, one that folds in is live, and one that does not."""
    for model in ("item_knn", "popular"):
        publish(runtime, dataset, model)


def started(runtime: Runtime, dispatcher: Dispatcher) -> list[str]:
    """The models of which a run was started now."""
    before = {job.id for job in runtime.jobs.list()}
    start_deltas(runtime, dispatcher)
    new = [job for job in runtime.jobs.list() if job.id not in before]
    assert {job.kind for job in new} <= {"delta"}
    return [job.model for job in new]


def take(runtime: Runtime) -> None:
    now = dt.datetime.now(dt.UTC).isoformat()
    runtime.events.append([Event("e1", 8, 101, now, 1.0)])


def test_nothing_is_started_while_nothing_is_new(
    runtime: Runtime, dispatcher: Dispatcher, live: None
) -> None:
    assert started(runtime, dispatcher) == []


@pytest.mark.parametrize("where", ["stream", "segment", "dataset"])
def test_new_events_start_a_run_of_what_is_live_and_folds_in(
    runtime: Runtime, dispatcher: Dispatcher, live: None, where: str
) -> None:
    take(runtime)
    if where != "stream":
        drain_events(runtime, dispatcher)
    if where == "dataset":
        refresh_dataset(runtime)
    assert started(runtime, dispatcher) == ["item_knn"]
    assert dispatcher.waiting("io") == 1


def test_a_model_with_another_job_or_on_hold_is_left_alone(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, live: None
) -> None:
    take(runtime)
    job, _ = runtime.jobs.create("pipeline", "item_knn")
    assert started(runtime, dispatcher) == []
    runtime.jobs.finish(job.id, "succeeded")
    publish(runtime, dataset, "item_knn")
    runtime.generations.rollback("item_knn")
    assert started(runtime, dispatcher) == []
    runtime.generations.release("item_knn")
    assert started(runtime, dispatcher) == ["item_knn"]
    assert started(runtime, dispatcher) == []


def test_before_anything_is_live_nothing_is_started(runtime: Runtime, dispatcher: Dispatcher) -> None:
    take(runtime)
    assert started(runtime, dispatcher) == []


def test_a_model_that_cannot_be_looked_at_keeps_no_other_one_waiting(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, live: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert runtime.settings.models.index("als") > runtime.settings.models.index("item_knn")
    publish(runtime, dataset, "als")
    take(runtime)
    base = runtime.generations.live("item_knn")
    assert base is not None
    manifest = runtime.artifacts.root / base.artifact / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"neighbours"', '"neighbors"'))
    assert started(runtime, dispatcher) == ["als"]
    assert "no incremental run of item_knn: " in caplog.text


def test_a_dataset_version_in_which_nobody_was_new_starts_nothing_again(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, live: None
) -> None:
    unknown_item = 50
    now = dt.datetime.now(dt.UTC).isoformat()
    runtime.events.append([Event("e1", 8, unknown_item, now, 1.0)])
    assert started(runtime, dispatcher) == ["item_knn"]
    [job] = runtime.jobs.active()
    pipeline(runtime, dispatcher, job.id)
    precompute(runtime, dispatcher, job.id)
    run_publish(runtime, dispatcher, job.id)
    assert runtime.jobs.get(job.id).state == "succeeded"
    assert runtime.datasets.latest().version != dataset.version
    assert started(runtime, dispatcher) == []

    publish(runtime, dataset, "item_knn")
    assert started(runtime, dispatcher) == ["item_knn"], "another base is compared anew"
