"""Whether a job may start: its model, its dataset, its lock."""

from typing import Any

from models.registry import model_config
from store.jobs import Job
from topshelf.errors import ArtifactNotFound, InvalidConfig, JobDelayed, JobNotFound, LockHeld, ModelOnHold
from workers.incremental import live_base
from workers.rules import RuleSet
from workers.runtime import Runtime
from workers.stage import lock_seconds

RESTOCK = "restock"
"""Parameter of a job that brings back what was live before a restore: others wait for it."""


def admit(runtime: Runtime, job: Job) -> Job:
    """Check a job before its first stage, and pin the dataset version it works on; may be repeated.

    Raises:
        UnknownModel, InvalidConfig: the model or a hyper-parameter does not exist.
        DatasetNotFound: nothing was ingested yet, or not this version.
        ArtifactNotFound: a precompute job, or a component of a blend, names an artifact that does not exist,
            or that is another model's.
        GenerationNotFound, CannotFoldIn: a delta is asked for where none can be made.
        ModelOnHold: somebody rolled the model back and has not released it.
        LockHeld: another job publishes this model; the message names it.
        JobDelayed: that job is a delta, which is asked to stop, for a base comes before it; or it stocks the
            model again after a restore.
    """
    params = _with_artifacts_read(runtime, job.params)
    model_config(job.model, params.get("config"))
    RuleSet.of(params.get("rules", {}))
    if not isinstance(params.get("profile", False), bool):
        raise InvalidConfig("profile is true or false: whether each stage leaves a profile")
    if params != job.params:
        runtime.jobs.update(job.id, params=params)
    if job.kind == "delta":
        if chosen := sorted(params.keys() - {"profile"}):
            raise InvalidConfig(
                f"a delta takes the live artifact and newest dataset, not {', '.join(chosen)}"
            )
        live_base(runtime, job.model)
    elif job.kind == "precompute":
        artifact = params.get("artifact") or _newest_artifact(runtime, job.model)
        manifest = runtime.artifacts.manifest(artifact)
        if manifest.model != job.model:
            raise ArtifactNotFound(f"{artifact} is an artifact of {manifest.model}, not of {job.model}")
        runtime.jobs.update(job.id, artifact=artifact, dataset=manifest.dataset, metrics=manifest.metrics)
    elif not job.dataset:
        wanted = params.get("dataset")
        dataset = runtime.datasets.open(wanted) if wanted else runtime.datasets.latest()
        runtime.jobs.update(job.id, dataset=dataset.version)
    if job.kind not in {"train", "trial"}:
        if runtime.generations.held_since(job.model) and runtime.generations.pointer(job.model):
            raise ModelOnHold(f"{job.model} was rolled back; run: topshelf release {job.model}")
        _take_lock(runtime, job)
    return runtime.jobs.get(job.id)


def _take_lock(runtime: Runtime, job: Job) -> None:
    try:
        runtime.lock.acquire(job.model, job.id, lock_seconds(runtime))
    except LockHeld:
        holder = _holder(runtime, job.model)
        if holder is not None and holder.params.get(RESTOCK):
            raise JobDelayed(f"waiting for job {holder.id} to stock {job.model} again") from None
        if holder is None or holder.kind != "delta" or job.kind == "delta":
            raise
        if not runtime.jobs.request_cancel(holder.id).over:
            raise JobDelayed(f"waiting for job {holder.id} to stop") from None
        runtime.lock.release(job.model, holder.id)
        runtime.lock.acquire(job.model, job.id, lock_seconds(runtime))


def _holder(runtime: Runtime, model: str) -> Job | None:
    """The job that holds a model's lock."""
    holder = runtime.lock.owner(model)
    try:
        return runtime.jobs.get(holder) if holder else None
    except JobNotFound:
        return None


def _with_artifacts_read(runtime: Runtime, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters with the model and hyper-parameters of an artifact in place of each blended one's id."""
    config = params.get("config") or {}
    components = config.get("components")
    if not isinstance(components, list):
        return params
    read = []
    for component in components:
        if isinstance(component, dict) and "artifact" in component:
            manifest = runtime.artifacts.manifest(str(component["artifact"]))
            rest = {name: value for name, value in component.items() if name != "artifact"}
            read.append({**rest, "model": manifest.model, "config": manifest.config})
        else:
            read.append(component)
    return {**params, "config": {**config, "components": read}}


def _newest_artifact(runtime: Runtime, model: str) -> str:
    manifests = runtime.artifacts.list(model)
    return manifests[0].id if manifests else f"{model}-none"
