"""Stage train: fit the candidate on the train part of the split and measure it on the rest."""

import time

from interactions.splits import split_by_user_time
from models.registry import create_model
from models.training import fit_and_evaluate
from workers.admission import admit
from workers.code_version import code_version
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.stage import Stage, run_stage
from workers.tracking import SERIES_METRICS, RunInfo, create_tracker


def train(runtime: Runtime, dispatch: Dispatcher, job_id: str) -> None:
    """Fit and measure a job's candidate; its metrics go into the job's record and to the tracker."""
    run_stage(runtime, dispatch, job_id, "train", _train)


def _train(stage: Stage) -> bool:
    job = admit(stage.runtime, stage.job)
    settings = stage.runtime.settings
    model = create_model(
        job.model,
        job.params.get("config"),
        device=settings.device,
        seed=settings.seed,
        threads=settings.threads_per_process,
    )
    info = RunInfo(
        job_id=job.id,
        model=job.model,
        hyperparams=model.config.model_dump(mode="json"),
        dataset=job.dataset,
        device=model.device,
        seed=settings.seed,
        code_version=code_version(),
        tags=(job.kind,),
    )
    split = split_by_user_time(stage.runtime.datasets.open(job.dataset), settings.test_share)
    with create_tracker(settings).run(info) as run:
        started = time.monotonic()
        metrics = fit_and_evaluate(model, split, progress=stage.report)
        run.log({"training/Technical/General_train_time (min)": (time.monotonic() - started) / 60})
        for name in SERIES_METRICS:
            run.append(f"training/Metrics/{name}", metrics[name])
    stage.runtime.jobs.update(job.id, metrics=metrics)
    return True
