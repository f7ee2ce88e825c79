"""Stage train: fit the candidate on the train part of the split and measure it on the rest."""

from interactions.splits import split_by_user_time
from models.base import Recommender
from models.fit_run import Epoch
from models.registry import create_model
from models.training import fit_and_evaluate
from store.jobs import Job
from workers.admission import admit
from workers.code_version import code_version
from workers.dispatch import Dispatcher
from workers.outcome import Outcome
from workers.runtime import Runtime
from workers.stage import Stage, run_stage
from workers.tracking import SERIES_METRICS, RunInfo
from workers.tracking.fields import GENERAL_TRAIN_TIME

K = 10


def train(runtime: Runtime, dispatch: Dispatcher, job_id: str) -> Outcome:
    """Fit and measure a job's candidate; its metrics go into the job's record, all of it into the run's file.

    A trial is measured on a validation part of what the others train on.

    The configuration to refit with, epochs chosen, goes into the record too: ``evaluate`` runs elsewhere.
    """
    outcome = run_stage(runtime, dispatch, job_id, "train", _train)
    dispatch.sync_runs()
    return outcome


def _train(stage: Stage) -> bool:
    runtime = stage.runtime
    job, settings = admit(runtime, stage.job), runtime.settings
    model = create_model(
        job.model,
        job.params.get("config"),
        device=settings.device,
        seed=settings.seed,
        threads=settings.threads_per_process,
    )
    run = runtime.runs.log(job.id)
    spent_seconds = run.begin(_info(job, model))

    def epoch_done(epoch: Epoch) -> None:
        run.epoch(epoch)
        runtime.metrics.epoch(job.model, epoch)

    split = split_by_user_time(
        runtime.datasets.open(job.dataset), settings.test_share, validation=job.kind == "trial"
    )
    evaluation = fit_and_evaluate(
        model,
        split,
        progress=stage.report,
        k=K,
        on_epoch=epoch_done,
        on_fitted=lambda seconds: run.set({GENERAL_TRAIN_TIME: (spent_seconds + seconds) / 60}),
        checkpoints=runtime.checkpoints(job.id) / "train",
    )
    run.trained({name: evaluation.metrics[name] for name in SERIES_METRICS})
    if job.kind != "trial":
        runtime.metrics.evaluated(job.model, evaluation.metrics)
    runtime.jobs.update(
        job.id,
        metrics=evaluation.metrics,
        result={
            "config": model.refit_config().model_dump(mode="json"),
            "evaluation": evaluation.details(),
        },
    )
    stage.said = f"NDCG@{K} {evaluation.metrics[f'NDCG@{K}']:.4f} on {job.dataset}"
    return True


def _info(job: Job, model: Recommender) -> RunInfo:
    return RunInfo(
        model=job.model,
        hyperparams=model.config.model_dump(mode="json"),
        dataset=job.dataset,
        device=model.device,
        seed=model.seed,
        code_version=code_version(),
        optimizer=model.optimizer,
        k=K,
        tags=(job.kind,),
        study=job.params.get("study", ""),
    )
