"""Nightly runs as their records begin."""

from store.night import NightlyRun
from workers.runtime import Runtime


def recorded(runtime: Runtime, run_id: str, **given: str) -> NightlyRun:
    """A run of ``als`` that the clock began, but for what is ``given``."""
    run, _ = runtime.nights.create(
        run_id,
        schedule="nightly",
        date="2026-11-27",
        due="2026-11-27T03:00:00+00:00",
        cron="0 3 * * *",
        timezone="UTC",
        trigger="clock",
        models=("als",),
        **given,  # type: ignore[arg-type]
    )
    return run
