import pytest

from interactions.dataset import Dataset
from models import registry
from models.fit_run import Epoch
from tests.workers.counting import EPOCH_SECONDS, Counting
from topshelf.errors import JobFailed
from workers.dispatch import Dispatcher
from workers.metrics import WorkerMetrics
from workers.runtime import Runtime
from workers.tasks.evaluate import evaluate
from workers.tasks.pipeline import pipeline
from workers.tasks.train import train


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(registry._MODELS, "counting", registry.ModelEntry("tests.workers.counting:Counting"))
    monkeypatch.setattr(Counting, "fits", [])
    return "counting"


def value(metrics: WorkerMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"topshelf_{name}", labels)


def test_a_training_tells_its_last_epoch_its_loss_and_what_it_reached(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, counting: str
) -> None:
    job, _ = runtime.jobs.create("train", counting)
    train(runtime, dispatcher, job.id)
    metrics = runtime.metrics
    assert value(metrics, "training_epochs_total", model=counting) == 4
    assert value(metrics, "training_epoch", model=counting) == 4
    assert value(metrics, "training_loss", model=counting) == 1 / 4
    assert value(metrics, "training_epoch_seconds", model=counting) == EPOCH_SECONDS
    reached = runtime.jobs.get(job.id).metrics
    assert reached is not None
    assert value(metrics, "evaluation", model=counting, metric="NDCG@10") == reached["NDCG@10"]
    evaluate(runtime, dispatcher, job.id)
    ended = {"kind": "train", "model": counting, "state": "succeeded", "error": ""}
    assert value(metrics, "jobs_ended_total", **ended) == 1


def test_a_trial_is_no_candidate(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, counting: str
) -> None:
    job, _ = runtime.jobs.create("trial", counting)
    train(runtime, dispatcher, job.id)
    assert value(runtime.metrics, "training_epoch", model=counting) == 4
    assert value(runtime.metrics, "evaluation", model=counting, metric="NDCG@10") is None


def test_a_job_that_is_refused_counts_with_the_key_of_its_error(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    for model in ("made_up", "als"):
        job, _ = runtime.jobs.create("precompute", model)
        pipeline(runtime, dispatcher, job.id)
    failed = {"kind": "precompute", "state": "failed"}
    ended = "jobs_ended_total"
    assert value(runtime.metrics, ended, model="unknown", error="model_unknown", **failed) == 1
    assert value(runtime.metrics, ended, model="als", error="artifact_not_found", **failed) == 1


def test_a_task_that_raises_counts_as_failed() -> None:
    metrics = WorkerMetrics()

    def fail() -> None:
        assert value(metrics, "tasks_running", task="topshelf.train") == 1
        raise JobFailed("it was tried five times")

    with pytest.raises(JobFailed), metrics.task("topshelf.train"):
        fail()
    assert value(metrics, "tasks_running", task="topshelf.train") == 0
    assert value(metrics, "tasks_total", task="topshelf.train", outcome="failed") == 1
    assert value(metrics, "task_seconds_count", task="topshelf.train") == 1


def test_an_epoch_without_a_loss_leaves_none() -> None:
    metrics = WorkerMetrics()
    metrics.epoch("als", Epoch(1, None, 0.5))
    assert value(metrics, "training_epoch", model="als") == 1
    assert value(metrics, "training_loss", model="als") is None
