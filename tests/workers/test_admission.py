"""Whether a job may start."""

import pytest

from interactions.dataset import Dataset
from models.artifacts import ArtifactManifest
from models.registry import create_model
from store.job import JobKind
from topshelf.errors import ArtifactNotFound, InvalidConfig, JobCancelled, LockHeld
from workers.admission import admit
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.stage import end_job
from workers.tasks.pipeline import pipeline
from workers.tasks.reconcile import reconcile
from workers.tasks.train import train


def stored(runtime: Runtime, dataset: Dataset, name: str, config: dict[str, object]) -> ArtifactManifest:
    model = create_model(name, config).fit(dataset.training_set())
    return runtime.artifacts.save(
        model, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
    )


def test_a_blend_of_artifacts_is_a_blend_of_their_models_and_hyper_parameters(
    runtime: Runtime, dataset: Dataset
) -> None:
    als = stored(runtime, dataset, "als", {"factors": 7})
    components = [{"artifact": als.id, "weight": 2}, {"model": "item_knn"}]
    job, _ = runtime.jobs.create("pipeline", "blend", params={"config": {"components": components}})
    admitted = admit(runtime, job).params["config"]["components"]
    assert admitted == [{"weight": 2, "model": "als", "config": als.config}, {"model": "item_knn"}]
    assert admitted[0]["config"]["factors"] == 7
    assert admit(runtime, runtime.jobs.get(job.id)).params["config"]["components"] == admitted


def test_a_blend_of_an_artifact_that_is_not_there_is_refused(runtime: Runtime, dataset: Dataset) -> None:
    components = [{"artifact": "als-20260101T000000Z-00000000"}]
    job, _ = runtime.jobs.create("pipeline", "blend", params={"config": {"components": components}})
    with pytest.raises(ArtifactNotFound, match="als-20260101T000000Z-00000000"):
        admit(runtime, job)


def test_whether_a_job_is_profiled_is_true_or_false(runtime: Runtime, dataset: Dataset) -> None:
    for given in (True, False):
        admit(runtime, runtime.jobs.create("train", "item_knn", params={"profile": given})[0])
    job, _ = runtime.jobs.create("train", "item_knn", params={"profile": "yes"})
    with pytest.raises(InvalidConfig, match="profile is true or false"):
        admit(runtime, job)


def test_an_artifact_of_another_model_is_not_precomputed(runtime: Runtime, dataset: Dataset) -> None:
    als = stored(runtime, dataset, "als", {"factors": 7})
    job, _ = runtime.jobs.create("precompute", "item_knn", params={"artifact": als.id})
    with pytest.raises(ArtifactNotFound, match="an artifact of als, not of item_knn"):
        admit(runtime, job)


def delta_at_work(runtime: Runtime, stage_begun: bool) -> str:
    """A delta that holds its model's lock, its first stage begun or still to come."""
    delta, _ = runtime.jobs.create("delta", "als")
    runtime.lock.acquire("als", delta.id, 60)
    if stage_begun:
        assert runtime.jobs.begin_stage(delta.id, "precompute", lease_seconds=60)
    return delta.id


@pytest.mark.parametrize("kind", ["pipeline", "precompute"])
def test_a_new_base_waits_for_a_delta_that_is_asked_to_stop(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, kind: JobKind
) -> None:
    stored(runtime, dataset, "als", {"factors": 4})
    delta = delta_at_work(runtime, stage_begun=True)
    job, _ = runtime.jobs.create(kind, "als")
    pipeline(runtime, dispatcher, job.id)
    assert runtime.jobs.get(delta).state == "cancelling"
    waiting = runtime.jobs.get(job.id)
    assert (waiting.state, waiting.message) == ("queued", f"waiting for job {delta} to stop")
    reconcile(runtime, dispatcher)
    assert dispatcher.waiting("io") == 0

    end_job(runtime, delta, "cancelled", JobCancelled("a base comes before it"))
    reconcile(runtime, dispatcher)
    reconcile(runtime, dispatcher)
    assert dispatcher.waiting("io") == 1
    pipeline(runtime, dispatcher, job.id)
    assert runtime.lock.owner("als") == job.id
    assert not runtime.jobs.get(job.id).over


def test_a_base_whose_lock_ran_out_waits_in_its_stage_for_the_delta_that_took_it(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job, _ = runtime.jobs.create("pipeline", "als")
    pipeline(runtime, dispatcher, job.id)
    runtime.lock.release("als", job.id)
    delta = delta_at_work(runtime, stage_begun=True)
    train(runtime, dispatcher, job.id)
    assert runtime.jobs.get(delta).state == "cancelling"
    assert (runtime.jobs.get(job.id).state, runtime.jobs.get(job.id).stage) == ("running", "train")


def test_a_delta_nobody_works_on_yet_gives_way_at_once(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    delta = delta_at_work(runtime, stage_begun=False)
    job, _ = runtime.jobs.create("pipeline", "als")
    pipeline(runtime, dispatcher, job.id)
    assert runtime.jobs.get(delta).state == "cancelled"
    assert runtime.lock.owner("als") == job.id


def test_a_delta_does_not_stop_another_one(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    stored_model = stored(runtime, dataset, "als", {"factors": 4})
    generation = runtime.generations.create(
        "als",
        fence=runtime.generations.next_fence("als"),
        layout="users",
        dataset=dataset.version,
        artifact=stored_model.id,
        knn="",
        n_users=0,
        n_items=1,
        n_buckets=0,
        buckets_per_chunk=1,
        k_store=1,
        cut_off="",
    )
    runtime.generations.verify("als", generation.id)
    runtime.generations.publish("als", generation.id, generation.fence)
    first = delta_at_work(runtime, stage_begun=True)
    second, _ = runtime.jobs.create("delta", "als")
    with pytest.raises(LockHeld, match=first):
        admit(runtime, second)
    assert runtime.jobs.get(first).state == "running"
