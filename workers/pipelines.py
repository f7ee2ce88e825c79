"""Several models' pipelines on one dataset version, begun by hand."""

from workers.dispatch import Dispatcher
from workers.runtime import Runtime


def start_pipelines(
    runtime: Runtime, dispatch: Dispatcher, *, run: str, models: tuple[str, ...], dataset: str
) -> list[str]:
    """Start a pipeline per model on one dataset version, those aside that this run has started before.

    Returns:
        The ids of the run's jobs, in the order of ``models``.
    """
    job_ids = [f"{run}-{model}" for model in models]
    for job_id, model in zip(job_ids, models, strict=True):
        job, created = runtime.jobs.create("pipeline", model, params={"dataset": dataset}, job_id=job_id)
        if created:
            dispatch.start(job.id)
    return job_ids
