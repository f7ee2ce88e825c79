"""What the models of a nightly run come to, told from their jobs."""

from dataclasses import replace
from typing import Any

import pytest

from store.job import Job
from store.night import ModelOutcome, NightlyRun
from workers.night_outcomes import VERIFYING, end_of, outcome_of, seconds_of, step_of
from workers.runtime import Runtime


@pytest.fixture
def job(runtime: Runtime) -> Job:
    return runtime.jobs.create("pipeline", "als")[0]


@pytest.mark.parametrize(
    ("known", "step"),
    [
        ({"stage": "train"}, "train"),
        ({"stage": "evaluate"}, "evaluate"),
        ({"stage": "evaluate", "result": {"gate": "good enough"}}, "refit"),
        ({"stage": "precompute", "result": {"gate": "good enough"}}, "precompute"),
        ({"stage": "publish", "message": VERIFYING}, "verify"),
        ({"stage": "publish", "message": "comparing with what is live"}, "publish"),
    ],
)
def test_a_step_is_finer_than_a_stage(job: Job, known: dict[str, Any], step: str) -> None:
    assert step_of(replace(job, **known)) == step


def test_a_refusal_of_the_gate_is_no_mere_failure(job: Job) -> None:
    error = {"error_key": "gate_refused", "error_message": "too little"}
    refused = outcome_of(replace(job, state="failed", error=error))
    assert (refused.state, refused.reason, refused.gate) == ("refused", "too little", "too little")
    failed = outcome_of(replace(job, state="failed", error=error | {"error_key": "training_failed"}))
    assert (failed.state, failed.reason, failed.gate) == ("failed", "too little", "")


def test_what_was_published_is_told(job: Job) -> None:
    done = replace(
        job,
        state="succeeded",
        started="2026-11-27T03:00:00.000+00:00",
        finished="2026-11-27T03:01:00.500+00:00",
        result={"generation": "7", "gate": "good enough"},
        metrics={"MAP@10": 0.1},
    )
    outcome = outcome_of(done)
    assert (outcome.generation, outcome.gate, outcome.seconds) == ("7", "good enough", 60.5)
    assert outcome.metrics == {"MAP@10": 0.1}


def a_run(*outcomes: ModelOutcome) -> NightlyRun:
    return NightlyRun(
        id="nightly-2026-11-27",
        schedule="nightly",
        date="2026-11-27",
        due="2026-11-27T03:00:00+00:00",
        cron="0 3 * * *",
        timezone="UTC",
        trigger="clock",
        state="running",
        stage="retire",
        created="2026-11-27T03:00:00+00:00",
        models={outcome.model: outcome for outcome in outcomes},
    )


WELL = ModelOutcome("popular", "succeeded")
FAILED = ModelOutcome("als", "failed", reason="no room")
REFUSED = ModelOutcome("bpr", "refused", reason="too little")
SKIPPED = ModelOutcome("ease", "skipped", reason="job j was at work on it")


@pytest.mark.parametrize(
    ("outcomes", "end"),
    [
        ([WELL], ("succeeded", "")),
        ([WELL, FAILED, REFUSED], ("failed", "als failed: no room; bpr refused: too little")),
        ([WELL, SKIPPED], ("succeeded", "ease skipped: job j was at work on it")),
        ([SKIPPED], ("skipped", "ease skipped: job j was at work on it")),
        ([replace(WELL, state="cancelled", reason="stop")], ("failed", "popular cancelled: stop")),
    ],
)
def test_a_run_ends_as_its_models_did(outcomes: list[ModelOutcome], end: tuple[str, str]) -> None:
    assert end_of(a_run(*outcomes)) == end


def test_a_run_that_was_not_begun_took_no_time() -> None:
    assert seconds_of(a_run()) is None
    begun = replace(a_run(), started="2026-11-27T03:00:00+00:00", updated="2026-11-27T03:00:09+00:00")
    assert seconds_of(begun) == 9.0
    assert seconds_of(replace(begun, finished="2026-11-27T03:00:30+00:00")) == 30.0
