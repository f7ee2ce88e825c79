"""The nightly run: drain events, make a dataset version of them, recompute every model, retire what is old.

The run's record says which stage it is at; a stage is worked on under a lease, so that one whose worker died
is sent again by the reconciler, to any worker.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

from store.night import STAGES, NightlyRun
from topshelf.errors import StoreUnavailable, TopshelfError
from workers.cron import now_in
from workers.dispatch import Dispatcher
from workers.hooks.telling import settle
from workers.nights import LATE_AFTER_SECONDS, begin_owed, end, start_models, stop, with_outcomes
from workers.outcome import Outcome
from workers.retirement import retire_files
from workers.runtime import Runtime
from workers.schedules import DEFAULT_SCHEDULE, schedules_of
from workers.stage import renewed
from workers.tasks.drain import drain_events, refresh_dataset

log = logging.getLogger(__name__)


def nightly(runtime: Runtime, dispatch: Dispatcher, schedule: str = DEFAULT_SCHEDULE) -> Outcome:
    """Begin the run of a schedule that was due last; a message that comes twice begins nothing again."""
    found = schedules_of(runtime.settings).by_name.get(schedule)
    if found is None or not found.cron:
        log.warning("no schedule %s is due; beat sent what was taken out of the settings", schedule)
        return Outcome(f"there is no schedule {schedule} any more")
    now = now_in(found.timezone)
    # Where nobody looked after the schedule before, the message itself says that it is due by now.
    run = begin_owed(runtime, found, now, since=now.timestamp() - LATE_AFTER_SECONDS)
    if run is None:
        return Outcome(f"schedule {schedule}: what was due is begun already, or not due by this clock")
    if settle(runtime):
        dispatch.tell_hooks()
    return nightly_run(runtime, dispatch, run.id)


def nightly_run(runtime: Runtime, dispatch: Dispatcher, run_id: str) -> Outcome:
    """Go on with a nightly run at its present stage, until its models' jobs are under way or it is over."""
    while not (run := runtime.nights.get(run_id)).over:
        if run.cancelled:
            stop(runtime, run)
            return Outcome(f"nightly run {run_id} was cancelled")
        if not runtime.nights.begin_stage(run_id, run.stage, runtime.settings.lease_seconds):
            return Outcome(f"nightly run {run_id}: somebody is at {run.stage}")
        log.info("nightly run %s: %s begins", run_id, run.stage)
        try:
            with _kept(runtime, run_id):
                WORK[run.stage](runtime, dispatch, run)
            if run.stage == "models":
                return Outcome(f"nightly run {run_id}: jobs of {', '.join(run.models)} begun")
        except StoreUnavailable:
            log.warning("nightly run %s: %s lost its server and will be sent again", run_id, run.stage)
            raise
        except TopshelfError as error:
            log.warning("nightly run %s: %s failed: %s", run_id, run.stage, error)
            runtime.nights.finish(run_id, "failed", f"{run.stage}: {error}")
        except Exception as error:
            runtime.nights.finish(run_id, "failed", f"{run.stage}: {error or type(error).__name__}")
            raise
    reason = f": {run.reason}" if run.reason else ""
    return Outcome(f"nightly run {run_id} {run.state}{reason}", failed=run.state == "failed")


def _drain(runtime: Runtime, dispatch: Dispatcher, run: NightlyRun) -> None:
    drain_events(runtime, dispatch)
    _go_on(runtime, run)


def _dataset(runtime: Runtime, dispatch: Dispatcher, run: NightlyRun) -> None:  # noqa: ARG001
    dataset = refresh_dataset(runtime).version
    runtime.nights.update(run.id, dataset=dataset)
    _go_on(runtime, run)


def _retire(runtime: Runtime, dispatch: Dispatcher, run: NightlyRun) -> None:  # noqa: ARG001 -- as all work
    retire_files(runtime)
    end(runtime, with_outcomes(runtime, run))


def _go_on(runtime: Runtime, run: NightlyRun) -> None:
    runtime.nights.advance(run.id, run.stage, STAGES[STAGES.index(run.stage) + 1])


def _kept(runtime: Runtime, run_id: str) -> AbstractContextManager[None]:
    lease_seconds = runtime.settings.lease_seconds
    return renewed(lambda: runtime.nights.renew_stage(run_id, lease_seconds), lease_seconds / 3, run_id)


Work = Callable[[Runtime, Dispatcher, NightlyRun], None]
WORK: dict[str, Work] = {"drain": _drain, "dataset": _dataset, "models": start_models, "retire": _retire}
"""What each stage does; ``models`` begins jobs, and is over when the reconciler finds that they are."""
