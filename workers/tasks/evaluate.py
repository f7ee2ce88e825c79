"""Stage evaluate: candidate against live configuration and floor, then the winner refitted on all rows."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from interactions.dataset import Dataset
from interactions.splits import Split, split_by_user_time
from models.artifacts import ArtifactManifest
from models.base import Recommender
from models.gate import Verdict, judge
from models.registry import create_model
from models.training import check_refitted, fit_and_evaluate, floor_metrics, refit
from topshelf.errors import ArtifactNotFound, GateRefused
from workers.code_version import code_version
from workers.dispatch import Dispatcher
from workers.live_lists import live_lists
from workers.outcome import Outcome
from workers.runtime import Runtime
from workers.stage import Stage, run_stage
from workers.tracking.fields import ARTIFACT, GATE, MODEL_SIZE

log = logging.getLogger(__name__)

COMPARED_SHARE = 0.4
SAMPLE_USERS = 1_000

Metrics = Mapping[str, float]
Measured = tuple[Metrics, Mapping[str, Any]]
"""Metrics, and the details of the evaluation that gave them."""


def evaluate(runtime: Runtime, dispatch: Dispatcher, job_id: str) -> Outcome:
    """Decide by the gate what is refitted, refit it, check it, and keep it as the job's artifact."""
    outcome = run_stage(runtime, dispatch, job_id, "evaluate", _evaluate)
    dispatch.sync_runs()
    return outcome


def _evaluate(stage: Stage) -> bool:
    runtime, job = stage.runtime, stage.job
    dataset = runtime.datasets.open(job.dataset)
    split = split_by_user_time(dataset, runtime.settings.test_share)
    chosen = (job.result or {}).get("config")
    candidate = _model(stage, chosen or job.params.get("config"))
    live_manifest = _live_manifest(runtime, job.model)
    live = _model(stage, live_manifest.config) if live_manifest else None
    of_candidate = (job.metrics or {}, (job.result or {}).get("evaluation") or {})
    of_live = _measure_live(stage, candidate, live, split, of_candidate)
    live_metrics = of_live[0] if of_live else None
    floor = None if candidate.is_baseline else floor_metrics(split, threads=candidate.threads)

    tolerance = _gate(stage, "tolerance", runtime.settings.gate_tolerance)
    verdict = judge(of_candidate[0], live_metrics, floor, tolerance)
    log.info("job %s: %s", job.id, verdict.reason)
    run = runtime.runs.log(job.id)
    run.set({GATE: verdict.reason})
    if not verdict.accepted:
        raise GateRefused(verdict.reason)
    winner, (metrics, details) = (
        (candidate, of_candidate)
        if verdict.winner == "candidate" or live is None or of_live is None
        else (live, of_live)
    )
    judged = {**(job.result or {}), "gate": verdict.reason}
    runtime.jobs.update(job.id, result=judged, message="refitting")

    started = time.monotonic()
    fitted = refit(
        winner,
        dataset.training_set(),
        _part(stage, COMPARED_SHARE, 0.95),
        checkpoints=runtime.checkpoints(job.id) / "refit",
    )
    overlap = _check(stage, fitted, dataset)
    manifest = runtime.artifacts.save(
        fitted,
        dataset_version=dataset.version,
        metrics=metrics,
        split=split.name,
        code_version=code_version(),
        train_seconds=time.monotonic() - started,
        extra={**_extra(verdict, floor, live_metrics, overlap), "evaluation": details},
    )
    runtime.jobs.update(
        job.id,
        artifact=manifest.id,
        metrics=manifest.metrics,
        message=verdict.reason,
        result=judged,
    )
    run.set({ARTIFACT: str(runtime.artifacts.root / manifest.id), MODEL_SIZE: manifest.size_bytes / 1e6})
    run.end("succeeded")
    stage.said = f"{verdict.reason}; refitted as {manifest.id}"
    return True


def _model(stage: Stage, config: Mapping[str, Any] | None) -> Recommender:
    settings = stage.runtime.settings
    return create_model(
        stage.job.model,
        dict(config or {}),
        device=settings.device,
        seed=settings.seed,
        threads=settings.threads_per_process,
    )


def _live_manifest(runtime: Runtime, model: str) -> ArtifactManifest | None:
    live = runtime.generations.live(model)
    if live is None:
        return None
    try:
        return runtime.artifacts.manifest(live.artifact)
    except ArtifactNotFound:
        log.warning(
            "%s: the live artifact %s is gone from disk, the gate runs without it", model, live.artifact
        )
        return None


def _measure_live(
    stage: Stage, candidate: Recommender, live: Recommender | None, split: Split, of_candidate: Measured
) -> Measured | None:
    """What the live configuration gives on the candidate's split; what that one does where they are equal."""
    if live is None:
        return None
    if live.config == candidate.config:
        return of_candidate
    evaluation = fit_and_evaluate(
        live,
        split,
        progress=_part(stage, 0.0, COMPARED_SHARE),
        checkpoints=stage.runtime.checkpoints(stage.job.id) / "live",
    )
    return evaluation.metrics, evaluation.details()


def _check(stage: Stage, fitted: Recommender, dataset: Dataset) -> float:
    runtime = stage.runtime
    n_users = dataset.manifest.n_users
    users = np.random.default_rng(runtime.settings.seed).choice(
        n_users, min(SAMPLE_USERS, n_users), replace=False
    )
    users.sort()
    return check_refitted(
        fitted,
        dataset.training_set(),
        users,
        k=runtime.settings.k_store,
        live=live_lists(runtime, stage.job.model, dataset, dataset.users.keys_of(users)),
        min_overlap=_gate(stage, "min_overlap", runtime.settings.min_overlap),
    )


def _gate(stage: Stage, name: str, otherwise: float) -> float:
    """A limit of the gate as the job's schedule sets it."""
    return float(stage.job.params.get("gate", {}).get(name, otherwise))


def _extra(verdict: Verdict, floor: Metrics | None, live: Metrics | None, overlap: float) -> dict[str, Any]:
    return {
        "gate": verdict.reason,
        "winner": verdict.winner,
        "floor": dict(floor) if floor else None,
        "live": dict(live) if live else None,
        "overlap_with_live": overlap,
    }


def _part(stage: Stage, begin: float, end: float) -> Any:
    return lambda share, message: stage.report(begin + (end - begin) * share, message)
