"""What a training job leaves behind: its run, its choice of epochs, no checkpoint."""

import time

import pytest

from interactions.dataset import Dataset
from models import registry
from store.job import Job
from tests.waiting import wait_until
from tests.workers.counting import EPOCH_SECONDS, Counting
from topshelf.errors import StoreUnavailable
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.evaluate import evaluate
from workers.tasks.train import train

CHOSEN = {"epochs": 2, "early_stopping": False}


@pytest.fixture
def job(runtime: Runtime, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setitem(registry._MODELS, "counting", registry.ModelEntry("tests.workers.counting:Counting"))
    monkeypatch.setattr(Counting, "fits", [])
    job, _ = runtime.jobs.create("train", "counting", params={"config": {"factors": 8}})
    return job


def test_a_run_holds_its_epochs_its_figures_and_where_the_artifact_is(
    runtime: Runtime, dispatcher: Dispatcher, job: Job
) -> None:
    train(runtime, dispatcher, job.id)
    assert runtime.runs.get(job.id).state == "running"
    evaluate(runtime, dispatcher, job.id)
    run, ended = runtime.runs.get(job.id), runtime.jobs.get(job.id)
    assert (run.state, run.model) == (ended.state, "counting") == ("succeeded", "counting")
    assert run.fields["training/hyperparams/optimizer"] == "Adam"
    assert run.fields["training/dataset"] == ended.dataset
    assert run.fields["training/artifact"] == str(runtime.artifacts.root / ended.artifact)
    assert run.fields["training/Technical/Epoch_train_time (min)"] == EPOCH_SECONDS / 60
    size = runtime.artifacts.manifest(ended.artifact).size_bytes
    assert run.fields["training/Technical/Model_size (Mb)"] == size / 1e6
    assert ended.metrics is not None
    assert [point.value for point in run.series["training/Metrics/MAP@10"]] == [
        *(0.01, 0.02, 0.03, 0.04),
        ended.metrics["MAP@10"],
    ]


def test_the_epochs_chosen_in_training_are_those_of_the_artifact(
    runtime: Runtime, dispatcher: Dispatcher, job: Job
) -> None:
    train(runtime, dispatcher, job.id)
    evaluate(runtime, dispatcher, job.id)
    manifest = runtime.artifacts.manifest(runtime.jobs.get(job.id).artifact)
    assert CHOSEN.items() <= manifest.config.items()
    assert manifest.config["factors"] == 8
    assert [fit["epochs"] for fit in Counting.fits] == [4, 2]


def test_an_attempt_after_a_loss_goes_on_from_the_checkpoint_in_the_same_run(
    runtime: Runtime, dispatcher: Dispatcher, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "lost_after", 3)
    with pytest.raises(StoreUnavailable):
        train(runtime, dispatcher, job.id)
    assert runtime.checkpoints(job.id).is_dir()
    wait_until(lambda: runtime.jobs.get(job.id).lease_until < time.time(), "the lease over")
    train(runtime, dispatcher, job.id)
    evaluate(runtime, dispatcher, job.id)
    run = runtime.runs.get(job.id)
    assert [event.kind for event in run.events].count("resume") == 1
    assert [point.step for point in run.series["training/loss"]] == [1, 2, 3, 4]
    assert [event.step for event in run.events if "training/loss" in event.fields] == [1, 2, 3, 4]
    assert not runtime.checkpoints(job.id).exists()


def test_a_refusal_of_the_gate_is_the_reason_in_the_run(
    runtime: Runtime, dispatcher: Dispatcher, job: Job
) -> None:
    train(runtime, dispatcher, job.id)
    runtime.jobs.update(job.id, metrics={"NDCG@10": 0.0})
    evaluate(runtime, dispatcher, job.id)
    run = runtime.runs.get(job.id)
    assert run.state == "failed"
    assert run.failure.startswith("GateRefused: the candidate's NDCG@10 0.0000 is below popular's")
    assert not runtime.checkpoints(job.id).exists()
