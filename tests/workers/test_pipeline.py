"""A pipeline from the first message to the live pointer, through real worker processes."""

import numpy as np
import pytest

from interactions.dataset import Dataset
from store.rows import unpack_row
from store.stocked import read_rows
from tests.waiting import wait_until
from tests.workers.conftest import USERS, StartWorker, WorkerProcess, finished, succeeded
from topshelf.errors import StoreUnavailable
from topshelf.settings import Settings
from workers.dispatch import Dispatcher
from workers.pipelines import start_pipelines
from workers.runtime import Runtime
from workers.tasks.pipeline import pipeline
from workers.tasks.reconcile import reconcile

ALS_ARRAYS = ("user_factors", "item_factors")
MODELS = ("popular", "popular_in_category", "item_knn", "als")


def stocked(runtime: Runtime, model: str, dataset: Dataset) -> list[list[int]]:
    """Every user's row as it stands in Redis."""
    live = runtime.generations.live(model)
    assert live is not None
    rows = read_rows(runtime.serving, runtime.keys, live, dataset.users.keys_of(range(USERS)))
    assert all(row is not None for row in rows)
    return [unpack_row(row or b"", live.id_width) for row in rows]


def test_every_model_is_trained_stocked_and_published(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    job_ids = start_pipelines(runtime, dispatcher, run="run", models=MODELS, dataset=dataset.version)
    for job in succeeded(runtime, *job_ids):
        live = runtime.generations.live(job.model)
        assert live is not None
        assert (live.state, live.artifact, live.dataset) == ("live", job.artifact, dataset.version)
        assert runtime.artifacts.manifest(job.artifact).metrics == job.metrics
        assert runtime.lock.owner(job.model) is None
        assert job.progress == 1.0


def test_als_rows_are_what_numpy_makes_of_the_artifact(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    [job_id] = start_pipelines(runtime, dispatcher, run="run", models=("als",), dataset=dataset.version)
    [job] = succeeded(runtime, job_id)
    arrays = runtime.artifacts.load(job.artifact)[0].arrays()
    users, items = (np.asarray(arrays[name], np.float32) for name in ALS_ARRAYS)
    scores = users @ items.T
    scores[dataset.matrix().toarray() > 0] = -np.inf
    best = -np.sort(-scores, axis=1)[:, : runtime.settings.k_store]
    for user, row in enumerate(stocked(runtime, "als", dataset)):
        assert len(set(row)) == runtime.settings.k_store
        # By score, not by id: what ties but for rounding may stand either way.
        np.testing.assert_allclose(scores[user, row], best[user], atol=1e-5)


def test_a_job_sent_twice_publishes_once(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    [job_id] = start_pipelines(runtime, dispatcher, run="run", models=("item_knn",), dataset=dataset.version)
    dispatcher.start(job_id)
    dispatcher.stage(runtime.jobs.get(job_id), "train")
    start_worker()
    succeeded(runtime, job_id)
    wait_until(lambda: not any(map(dispatcher.waiting, ("gpu", "cpu", "io"))), "queues empty")
    assert [generation.id for generation in runtime.generations.list("item_knn")] == ["1"]


@pytest.mark.parametrize(
    ("model", "params", "key"),
    [
        ("alz", {}, "model_unknown"),
        ("als", {"config": {"factor": 8}}, "config_invalid"),
        ("als", {"dataset": "20200101T000000Z-00000000"}, "dataset_not_found"),
    ],
)
def test_a_job_that_cannot_start_says_why(
    runtime: Runtime,
    dispatcher: Dispatcher,
    dataset: Dataset,
    start_worker: StartWorker,
    model: str,
    params: dict[str, object],
    key: str,
) -> None:
    start_worker()
    job, _ = runtime.jobs.create("pipeline", model, params=params)
    dispatcher.start(job.id)
    [job] = finished(runtime, job.id)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error["error_key"] == key


def test_an_error_nobody_foresaw_ends_the_job_before_its_first_stage(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _ = runtime.jobs.create("pipeline", "item_knn")

    def broken(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'scipy'")

    monkeypatch.setattr(Dispatcher, "stage", broken)
    with pytest.raises(ModuleNotFoundError):
        pipeline(runtime, dispatcher, job.id)
    ended = runtime.jobs.get(job.id)
    assert (ended.state, (ended.error or {})["error_key"]) == ("failed", "unexpected_error")
    assert runtime.lock.owner("item_knn") is None


def test_lists_too_far_from_the_live_ones_are_refused_and_say_why(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    worker = start_worker()
    succeeded(
        runtime, *start_pipelines(runtime, dispatcher, run="a", models=("als",), dataset=dataset.version)
    )
    worker.stop()
    strict = WorkerProcess(settings.model_copy(update={"min_overlap": 1.0, "gate_tolerance": 0.99}), "worker")
    try:
        job, _ = runtime.jobs.create("pipeline", "als", params={"config": {"factors": 2}})
        dispatcher.start(job.id)
        [job] = finished(runtime, job.id)
    finally:
        strict.stop()
    assert job.error is not None
    assert job.error["error_key"] == "gate_refused"
    assert "100.0% are wanted" in job.error["error_message"]
    assert str(runtime.generations.pointer("als")) == "1"


def test_a_worse_configuration_gives_way_to_the_live_one(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    [first] = start_pipelines(runtime, dispatcher, run="a", models=("als",), dataset=dataset.version)
    succeeded(runtime, first)
    job, _ = runtime.jobs.create("pipeline", "als", params={"config": {"factors": 1, "iterations": 1}})
    dispatcher.start(job.id)
    [job] = succeeded(runtime, job.id)
    manifest = runtime.artifacts.manifest(job.artifact)
    assert manifest.extra["winner"] == "live"
    assert manifest.config == runtime.artifacts.manifest(runtime.jobs.get(first).artifact).config


def test_a_worker_killed_in_mid_run_is_replaced_and_the_lists_are_the_same(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    first = start_worker()
    [undisturbed, disturbed] = ["undisturbed", "disturbed"]
    succeeded(
        runtime,
        *start_pipelines(runtime, dispatcher, run=undisturbed, models=("als",), dataset=dataset.version),
    )
    expected = stocked(runtime, "als", dataset)

    [job_id] = start_pipelines(runtime, dispatcher, run=disturbed, models=("als",), dataset=dataset.version)
    wait_until(lambda: runtime.jobs.get(job_id).state == "running", "the job under way")
    first.kill()
    assert not runtime.jobs.get(job_id).over
    start_worker()

    def over() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.jobs.get(job_id).over

    wait_until(over, "the job over")
    succeeded(runtime, job_id)
    assert stocked(runtime, "als", dataset) == expected


def test_a_cancelled_job_stops_and_leaves_no_keys(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    job, _ = runtime.jobs.create("pipeline", "als", params={"config": {"iterations": 500}})
    dispatcher.start(job.id)
    start_worker()
    wait_until(lambda: runtime.jobs.get(job.id).state == "running", "the job under way")
    assert runtime.jobs.request_cancel(job.id).state == "cancelling"
    [job] = finished(runtime, job.id)
    assert job.state == "cancelled"
    assert runtime.lock.owner("als") is None
    assert not list(runtime.serving.scan_iter(f"{runtime.keys.prefix}b:*"))


def test_a_second_run_of_a_model_is_refused_while_the_first_holds_the_lock(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    runtime.lock.acquire("als", "somebody-else", 60)
    job, _ = runtime.jobs.create("pipeline", "als")
    dispatcher.start(job.id)
    [job] = finished(runtime, job.id)
    assert job.error is not None
    assert job.error["error_key"] == "model_busy"
    assert "somebody-else" in job.error["error_message"]
    assert runtime.lock.owner("als") == "somebody-else"


def test_after_a_rollback_nothing_is_published_until_the_release(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    for run in ("one", "two"):
        succeeded(
            runtime,
            *start_pipelines(runtime, dispatcher, run=run, models=("popular",), dataset=dataset.version),
        )
    assert str(runtime.generations.rollback("popular")) == "1"
    [held] = finished(
        runtime,
        *start_pipelines(runtime, dispatcher, run="three", models=("popular",), dataset=dataset.version),
    )
    assert held.error is not None
    assert held.error["error_key"] == "model_on_hold"
    assert runtime.generations.release("popular")
    succeeded(
        runtime,
        *start_pipelines(runtime, dispatcher, run="four", models=("popular",), dataset=dataset.version),
    )


def test_train_keeps_an_artifact_and_precompute_publishes_it(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    start_worker()
    trained, _ = runtime.jobs.create("train", "item_knn")
    dispatcher.start(trained.id)
    [trained] = succeeded(runtime, trained.id)
    assert runtime.generations.live("item_knn") is None
    published, _ = runtime.jobs.create("precompute", "item_knn")
    dispatcher.start(published.id)
    succeeded(runtime, published.id)
    live = runtime.generations.live("item_knn")
    assert live is not None
    assert live.artifact == trained.artifact == live.knn


def test_a_gpu_worker_starts_fresh_processes_and_falls_back_where_a_model_has_no_gpu(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    worker = WorkerProcess(settings.model_copy(update={"device": "cuda", "worker_processes": 1}), "worker")
    try:
        succeeded(
            runtime, *start_pipelines(runtime, dispatcher, run="g", models=("als",), dataset=dataset.version)
        )
    finally:
        worker.stop()
    assert "SpawnPoolWorker" in worker.log.read_text()


def test_a_server_that_is_away_leaves_the_job_to_be_sent_again(runtime: Runtime) -> None:
    away = Runtime(runtime.settings.model_copy(update={"key_prefix": "x:"}))
    away.durable.connection_pool.disconnect()
    away.durable.connection_pool.connection_kwargs["port"] = 1
    with pytest.raises(StoreUnavailable):
        away.jobs.get("any")
