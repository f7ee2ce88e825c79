"""Nightly runs on a terminal and as JSON."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from store.night import ModelOutcome, NightlyRun
from topshelf.cli.job_display import PATIENCE_SECONDS, POLL_SECONDS, display_on
from topshelf.cli.tables import listing
from workers.dispatch import Dispatcher
from workers.night_outcomes import seconds_of
from workers.nights import follow
from workers.runtime import Runtime

FOLLOW_SECONDS = 2.0


def watch_night(runtime: Runtime, dispatch: Dispatcher, run_id: str, console: Console) -> NightlyRun:
    """Show a run and its jobs until it is over; moves it on, too, so that it needs no beat to end."""
    shown = ""
    began = follow_at = time.monotonic()
    with display_on(console) as display:
        while True:
            run = runtime.nights.get(run_id)
            for outcome in run.models.values():
                if outcome.job:
                    display.show(runtime.jobs.get(outcome.job))
            if run.over:
                return run
            if run.stage != shown and run.started:
                shown = run.stage
                console.print(f"{run.id}: {run.stage}", highlight=False)
            now = time.monotonic()
            if not run.started and now - began > PATIENCE_SECONDS:
                began = float("inf")
                console.print(
                    "No worker has taken the run yet: is `topshelf up` or `topshelf worker` running?"
                )
            if now - follow_at > FOLLOW_SECONDS:
                follow_at = now
                follow(runtime, dispatch)
            time.sleep(POLL_SECONDS)


def document(run: NightlyRun) -> dict[str, Any]:
    """A run as ``--json`` prints it."""
    return asdict(run) | {
        "models": [asdict(outcome) for outcome in run.models.values()],
        "duration_seconds": seconds_of(run),
    }


def nights_table(runs: Sequence[NightlyRun]) -> Table:
    """A row a run."""
    rows = [
        (run.id, run.state if run.over else run.stage, run.trigger, _minutes(seconds_of(run)), _summary(run))
        for run in runs
    ]
    return listing(("run", "state", "begun by", "took", "models"), rows)


def models_table(run: NightlyRun) -> Table:
    """A row a model of one run."""
    rows = [
        (
            outcome.model,
            outcome.state,
            outcome.step,
            _minutes(outcome.seconds),
            outcome.generation,
            outcome.reason or outcome.gate,
        )
        for outcome in run.models.values()
    ]
    table = listing(("model", "state", "step", "took", "generation", "gate or reason"), rows)
    table.title = f"{run.id}: {run.state if run.over else run.stage}, dataset {run.dataset or '-'}"
    table.title_justify = "left"
    return table


def _summary(run: NightlyRun) -> str:
    if run.over and not any(outcome.job for outcome in run.models.values()):
        return run.reason
    return ", ".join(map(_in_short, run.models.values()))


def _in_short(outcome: ModelOutcome) -> str:
    return outcome.model if outcome.state == "succeeded" else f"{outcome.model} ({outcome.state})"


def _minutes(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
