"""Lists found through a graph: chosen when a generation is opened, the same in every process."""

import pytest

from interactions.dataset import Dataset
from models.registry import create_model
from store.rows import unpack_row
from tests.workers.conftest import StartWorker, succeeded
from tests.workers.filling import fill, live_rows, opened
from topshelf.settings import Settings
from workers.content import load_content
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.scoring import score_users
from workers.tasks.pipeline import pipeline
from workers.tasks.precompute import precompute
from workers.tasks.publish import publish


def published(runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, model: str = "als") -> None:
    job = opened(runtime, dispatcher, dataset, model)
    fill(runtime, dispatcher, job)
    publish(runtime, dispatcher, job.id)
    job = runtime.jobs.get(job.id)
    assert job.state == "succeeded", job.error


def approximate(settings: Settings, **changes: float) -> Runtime:
    return Runtime(settings.model_copy(update={"search": "approximate", **changes}))


def test_a_graph_serves_every_user_and_its_recall_is_in_the_record(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    published(runtime, dispatcher, dataset)
    exact = live_rows(runtime, "als", dataset)
    live = runtime.generations.live("als")
    assert live is not None
    assert (live.search, live.ef, live.recall) == ("exact", 0, 1.0)

    published(approximate(settings, recall_floor=0.9), dispatcher, dataset)
    live = runtime.generations.live("als")
    assert live is not None
    assert live.search == "graph"
    assert live.recall is not None
    assert live.recall >= 0.9
    found = live_rows(runtime, "als", dataset)
    assert all(found)
    assert sum(one == other for one, other in zip(exact, found, strict=True)) > len(exact) / 2
    assert live.index.startswith(live.artifact)


def test_another_process_makes_the_same_lists(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    job = opened(approximate(settings, recall_floor=0.5), dispatcher, dataset)
    start_worker()
    succeeded(runtime, job.id)
    generation = runtime.generations.get("als", job.generation)
    content = load_content(runtime, generation)
    ranking = score_users(content.shelf, content.users, generation.k_store)
    rows = [unpack_row(row or b"", generation.id_width) for row in live_rows(runtime, "als", dataset)]
    assert rows == [listed[listed >= 0].tolist() for listed in ranking.items]
    [file] = (settings.data_dir / "indexes").glob("*.npy")
    assert file.stem == generation.index


def test_exact_lists_follow_a_graph_of_the_same_artifact(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    published(runtime, dispatcher, dataset)
    exact = live_rows(runtime, "als", dataset)
    opened(approximate(settings, recall_floor=0.5), dispatcher, dataset)
    first = runtime.generations.live("als")
    assert first is not None
    content = load_content(runtime, first)
    ranking = score_users(content.shelf, content.users, first.k_store)
    assert [unpack_row(row or b"", first.id_width) for row in exact] == ranking.items.tolist()


def test_an_index_that_no_generation_names_goes_with_the_next_one(
    settings: Settings, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    unused = settings.data_dir / "indexes" / "als-of-long-ago-0.npy"
    other = settings.data_dir / "indexes" / "bpr-of-long-ago-0.npy"
    unused.parent.mkdir(parents=True)
    unused.touch()
    other.touch()
    opened(approximate(settings, recall_floor=0.5), dispatcher, dataset)
    assert not unused.exists()
    assert other.exists()


def test_an_index_that_is_gone_fails_the_job_and_says_so(
    settings: Settings, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    runtime = approximate(settings)
    job = opened(runtime, dispatcher, dataset)
    for file in (settings.data_dir / "indexes").iterdir():
        file.unlink()
    later = Runtime(settings)
    fill(later, dispatcher, job, 0)
    job = later.jobs.get(job.id)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error["error_key"] == "artifact_not_found"


@pytest.mark.parametrize("floor", [0.5, 1.0])
def test_a_model_with_an_index_of_its_own_is_held_to_the_floor(
    settings: Settings, dispatcher: Dispatcher, dataset: Dataset, floor: float
) -> None:
    runtime = Runtime(settings.model_copy(update={"recall_floor": floor}))
    config = {"factors": 8, "epochs": 2, "links": 2, "ef_construction": 4, "ef": 1}
    fitted = create_model("lightfm_ann", config).fit(dataset.training_set())
    recall = fitted.facts()["ann_recall@10"]
    assert 0.5 < recall < 1
    runtime.artifacts.save(
        fitted, dataset_version=dataset.version, metrics={}, split="none", code_version="test"
    )
    job, _ = runtime.jobs.create("precompute", "lightfm_ann")
    pipeline(runtime, dispatcher, job.id)
    precompute(runtime, dispatcher, job.id)
    job = runtime.jobs.get(job.id)
    if floor > recall:
        assert job.error is not None
        assert job.error["error_key"] == "recall_too_low"
    else:
        generation = runtime.generations.get("lightfm_ann", job.generation)
        assert generation.search == "own index"
        assert generation.recall == pytest.approx(recall)
