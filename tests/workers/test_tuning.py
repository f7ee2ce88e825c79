"""Studies whose trials are jobs of a real worker."""

from collections.abc import Callable

import pytest

from interactions.dataset import Dataset
from interactions.splits import split_by_user_time
from models.registry import create_model
from models.training import fit_and_evaluate
from store.job import Job
from tests.workers.conftest import StartWorker
from topshelf.errors import InvalidConfig
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tracking.fields import STUDY, STUDY_BEST
from workers.tuning import TrialRecord, Tuning

FIXED = {"iterations": 3}

Open = Callable[..., Tuning]


class Interrupted(Exception):
    """Stands for Ctrl-C."""


@pytest.fixture
def open_study(runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset) -> Open:
    """A function that opens the study of a model on the dataset."""

    def open_it(model: str = "als", **changes: object) -> Tuning:
        asked = {"name": "study", "dataset": dataset.version, "metric": "NDCG@10", "fixed": FIXED, **changes}
        return Tuning(runtime, dispatcher, model, **asked)  # type: ignore[arg-type]

    return open_it


def nothing(*_: object) -> None:
    """Listens to nothing."""


def test_trials_are_jobs_and_the_best_run_is_marked(
    runtime: Runtime, dataset: Dataset, open_study: Open, start_worker: StartWorker
) -> None:
    start_worker()
    told: list[TrialRecord] = []
    study = open_study()
    study.run(4, 2, told.append, nothing)
    records = study.records()
    assert [record.number for record in records] == [0, 1, 2, 3]
    assert sorted(trial.number for trial in told) == [0, 1, 2, 3]
    assert records[0].params == {"factors": 64, "regularization": 10.0, "alpha": 2.0}
    jobs = [runtime.jobs.get(record.job_id) for record in records]
    assert {job.kind for job in jobs} == {"trial"}
    assert all(not job.artifact for job in jobs)
    assert [record.value for record in records] == [(job.metrics or {})["NDCG@10"] for job in jobs]
    best = study.best()
    assert best is not None
    assert best.value == max(record.value or 0 for record in records)
    assert study.best_config() == FIXED | best.params
    runs = {record.job_id: runtime.runs.get(record.job_id).fields for record in records}
    assert [job_id for job_id, fields in runs.items() if fields.get(STUDY_BEST)] == [best.job_id]
    assert {fields[STUDY] for fields in runs.values()} == {"study"}
    split = split_by_user_time(dataset, runtime.settings.test_share, validation=True)
    model = create_model("als", {**FIXED, **records[0].params}, seed=runtime.settings.seed)
    assert records[0].value == pytest.approx(fit_and_evaluate(model, split).metrics["NDCG@10"], abs=1e-3)


def test_a_study_goes_on_where_it_was_left(
    runtime: Runtime, open_study: Open, start_worker: StartWorker
) -> None:
    def interrupt(jobs: list[Job], over: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        open_study().run(3, 2, nothing, interrupt)
    left = [record.job_id for record in open_study().records()]
    assert len(left) == 2
    start_worker()
    study = open_study()
    study.run(3, 1, nothing, nothing)
    records = study.records()
    assert [record.job_id for record in records][:2] == left
    assert [record.state for record in records] == ["complete"] * 3
    assert len(runtime.jobs.list(limit=10)) == 3


def test_a_trial_that_fails_is_told_and_the_study_goes_on(
    runtime: Runtime, open_study: Open, start_worker: StartWorker
) -> None:
    failed: list[TrialRecord] = []

    def cancel_the_first(jobs: list[Job], over: int) -> None:
        if not over and jobs:
            runtime.jobs.request_cancel(jobs[0].id)
            start_worker()

    study = open_study()
    study.run(2, 1, failed.append, cancel_the_first)
    assert [record.state for record in failed] == ["fail", "complete"]
    assert "cancelled" in failed[0].failure
    assert study.records()[0].failure == failed[0].failure
    assert study.best() == failed[1]


def test_a_study_of_this_name_that_asked_for_something_else_is_left_alone(open_study: Open) -> None:
    open_study()
    with pytest.raises(InvalidConfig, match=r"asked for .* give this one another name: --study NAME"):
        open_study(fixed={"iterations": 4})
    open_study(fixed={"iterations": 4}, name="another")


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        ("popular", {"fixed": {}}, "popular has no hyper-parameter to search"),
        ("als", {"metric": "Loss"}, "'Loss' cannot be maximised; NDCG@10"),
        ("als", {"fixed": {"factor": 1}}, "did you mean 'factors'"),
    ],
)
def test_what_cannot_be_searched_is_said(
    model: str, changes: dict[str, object], said: str, open_study: Open
) -> None:
    with pytest.raises(InvalidConfig, match=said):
        open_study(model, **changes)
