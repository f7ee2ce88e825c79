"""How the models of a nightly run fare, told from their jobs."""

import datetime as dt

from store.job import Job
from store.night import EndState, ModelOutcome, NightlyRun, OutcomeState

VERIFYING = "verifying"
UNHAPPY: tuple[OutcomeState, ...] = ("failed", "refused", "cancelled")


def outcome_of(job: Job) -> ModelOutcome:
    """How a model fares whose job it is."""
    error = job.error or {}
    result = job.result or {}
    refused = job.state == "failed" and error.get("error_key") == "gate_refused"
    return ModelOutcome(
        model=job.model,
        state="refused" if refused else job.state,
        job=job.id,
        step=step_of(job),
        reason=error.get("error_message", ""),
        gate=error.get("error_message", "") if refused else result.get("gate", ""),
        generation=str(result.get("generation") or ""),
        metrics=job.metrics,
        seconds=_seconds_between(job.started, job.finished),
    )


def step_of(job: Job) -> str:
    """What a job is at, finer than its stage: what comes after the gate, and before publishing."""
    if job.stage == "evaluate" and "gate" in (job.result or {}):
        return "refit"
    if job.stage == "publish" and job.message == VERIFYING:
        return "verify"
    return job.stage


def end_of(run: NightlyRun) -> tuple[EndState, str]:
    """The state a run ends in, its models being over, and the reason in words."""
    unhappy = [outcome for state in UNHAPPY for outcome in run.with_state(state)]
    skipped = run.with_state("skipped")
    reason = "; ".join(_said(outcome) for outcome in [*unhappy, *skipped])
    if unhappy:
        return "failed", reason
    return ("skipped" if len(skipped) == len(run.models) else "succeeded"), reason


def _said(outcome: ModelOutcome) -> str:
    return f"{outcome.model} {outcome.state}" + (f": {outcome.reason}" if outcome.reason else "")


def seconds_of(run: NightlyRun) -> float | None:
    """How long a run took, or has taken so far by its last change; None before its first stage."""
    return _seconds_between(run.started, run.finished or run.updated)


def _seconds_between(start: str, end: str) -> float | None:
    if not start or not end:
        return None
    return round((dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds(), 3)
