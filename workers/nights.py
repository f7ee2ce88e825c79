"""Nightly runs from their records: which is due, who may begin it, what comes next.

Everything here may be done twice, by any process: the records say what was done before.
"""

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from zoneinfo import ZoneInfo

from store.job import Job
from store.night import ModelOutcome, NightlyRun, Trigger
from store.records import now_text
from store.schedule_notes import ScheduleNote
from topshelf.errors import InvalidConfig, JobNotFound, NightAtWork
from workers.cron import due_on, is_daily_at_most, last_due, longest_gap_seconds, next_due, now_in
from workers.dispatch import Dispatcher
from workers.night_outcomes import end_of, outcome_of
from workers.runtime import Runtime
from workers.schedules import Schedule, schedules_of
from workers.stage import MAX_ATTEMPTS

log = logging.getLogger(__name__)

Clock = Callable[[str], dt.datetime]
"""The present moment in a time zone."""

LATE_AFTER_SECONDS = 600
"""A run begun so long after it was due was missed and is caught up."""
HOLDING_KINDS = frozenset({"pipeline", "precompute"})
"""Jobs that keep a model from being recomputed at the same time; a delta gives way."""


def run_id_of(schedule: Schedule, due: dt.datetime) -> str:
    """The id of the run due at a moment in its zone: the date, and the time where it is due more often."""
    once = not schedule.cron or is_daily_at_most(schedule.cron)
    return f"{schedule.name}-{due:%Y-%m-%d}" + ("" if once else f"T{due:%H%M}")


def due_by_hand(schedule: Schedule, date: dt.date | None) -> dt.datetime:
    """The moment that names a run begun by hand: of that date, else of today in the schedule's zone."""
    now = now_in(schedule.timezone)
    day, zone = date or now.date(), ZoneInfo(schedule.timezone)
    times = due_on(schedule.cron, day, zone) if schedule.cron else []
    past = [moment for moment in times if moment.timestamp() <= now.timestamp()]
    return next(iter([*past[-1:], *times]), dt.datetime.combine(day, dt.time(), tzinfo=zone))


def trigger_of(due: dt.datetime, now: dt.datetime) -> Trigger:
    """What begins a run at ``now``: the clock, or that it was missed."""
    return "catch_up" if now.timestamp() - due.timestamp() > LATE_AFTER_SECONDS else "clock"


def begin(
    runtime: Runtime, schedule: Schedule, due: dt.datetime, trigger: Trigger, *, again: bool = False
) -> tuple[NightlyRun, bool]:
    """Record the run due at a moment; where there is one, that one and False, unless it is wanted ``again``.

    While an earlier run of the schedule is at work the new one is recorded as skipped: runs do not overlap.

    Raises:
        NightAtWork: it is begun by hand while an earlier one is at work.
    """
    look_after(runtime, schedule, now_in(schedule.timezone))
    run, created = _recorded(runtime, schedule, due, trigger, again=again)
    if run.state != "skipped":
        runtime.nights.schedules.expect(schedule.name, due.timestamp(), _after(schedule, due))
    if created and run.over:
        log.warning("nightly run %s is skipped: %s", run.id, run.reason)
    elif created:
        late = ", which was missed and is caught up" if run.trigger == "catch_up" else ""
        log.info("nightly run %s begins%s", run.id, late)
    return run, created


def _recorded(
    runtime: Runtime, schedule: Schedule, due: dt.datetime, trigger: Trigger, *, again: bool
) -> tuple[NightlyRun, bool]:
    run_id = run_id_of(schedule, due)
    at_work = [run.id for run in runtime.nights.active() if run.schedule == schedule.name]
    if runtime.nights.exists(run_id):
        if not again or run_id in at_work:
            return runtime.nights.get(run_id), False
        run_id = next(f"{run_id}.{n}" for n in count(2) if not runtime.nights.exists(f"{run_id}.{n}"))
    if at_work and trigger == "hand":
        raise NightAtWork(f"nightly run {at_work[0]} is at work; wait for it: topshelf nights {at_work[0]}")
    return runtime.nights.create(
        run_id,
        schedule=schedule.name,
        date=f"{due:%Y-%m-%d}",
        due=due.astimezone(dt.UTC).isoformat(timespec="seconds"),
        cron=schedule.cron,
        timezone=schedule.timezone,
        trigger=trigger,
        models=schedule.models,
        state="skipped" if at_work else "queued",
        reason=f"{at_work[0]} was still at work" if at_work else "",
    )


def begin_owed(
    runtime: Runtime, schedule: Schedule, now: dt.datetime, since: float | None = None
) -> NightlyRun | None:
    """Begin the run that a schedule was due for last, unless that is settled; returns what was recorded.

    Args:
        since: epoch seconds; what was due before is left alone where the schedule is new; now by default.
    """
    note = look_after(runtime, schedule, now, since)
    due = last_due(schedule.cron, now) if schedule.cron else None
    if due is None or due.timestamp() <= max(note.since, note.settled):
        return None
    trigger = trigger_of(due, now)
    if trigger == "catch_up" and not schedule.catch_up:
        log.warning("the run of schedule %s due at %s was missed, and is not caught up", schedule.name, due)
        runtime.nights.schedules.expect(schedule.name, due.timestamp(), _after(schedule, due))
        runtime.nights.schedules.settle(schedule.name, due.timestamp())
        return None
    run, created = begin(runtime, schedule, due, trigger)
    runtime.nights.schedules.settle(schedule.name, due.timestamp())
    return run if created else None


def begin_missed(runtime: Runtime, clock: Clock = now_in) -> list[NightlyRun]:
    """Begin what was due since a schedule is looked after and nobody began; returns what was begun.

    Of several missed runs of a schedule only the last one is begun.
    """
    schedules = schedules_of(runtime.settings)
    runtime.nights.schedules.keep_only(list(schedules.by_name))
    recorded = [begin_owed(runtime, schedule, clock(schedule.timezone)) for schedule in schedules]
    return [run for run in recorded if run and not run.over]


def look_after(
    runtime: Runtime, schedule: Schedule, now: dt.datetime, since: float | None = None
) -> ScheduleNote:
    """Note a schedule, or what of it has changed, and return what is noted."""
    cron = schedule.cron
    from_epoch = now.timestamp() if since is None else since
    from_moment = dt.datetime.fromtimestamp(from_epoch, now.tzinfo)
    fresh = ScheduleNote(
        mark=f"{cron} {schedule.timezone}",
        since=from_epoch,
        models=schedule.models,
        expected=_after(schedule, from_moment),
        gap_seconds=longest_gap_seconds(cron) if cron else 0,
    )
    return runtime.nights.schedules.look_after(schedule.name, fresh)


def _after(schedule: Schedule, moment: dt.datetime) -> float:
    """When a schedule is due after a moment, in epoch seconds; 0 for never."""
    due = next_due(schedule.cron, moment) if schedule.cron else None
    return due.timestamp() if due else 0.0


def start_models(runtime: Runtime, dispatch: Dispatcher, run: NightlyRun) -> None:
    """Start the job of each model of a run that has none; one that another job is at work on is skipped."""
    models = dict(run.models)
    for outcome in run.with_state("waiting"):
        if runtime.nights.get(run.id).cancelled:
            return
        models[outcome.model] = begun = _start_model(runtime, dispatch, run, outcome.model)
        if not runtime.nights.update(run.id, models=models) and begun.job:
            runtime.jobs.request_cancel(begun.job)  # ended meanwhile, by one who saw no job yet
            return


def cancel_run(runtime: Runtime, run_id: str) -> NightlyRun:
    """Ask a run to end, and its jobs first; one that is over is left alone. Returns it as it is then.

    It ends once its jobs are over, here or in the reconciler. What was published stays, and a job that is
    publishing goes through with it.

    Raises:
        NightNotFound: there is no such run.
    """
    if runtime.nights.update(run_id, cancelled=now_text()):
        log.warning("nightly run %s is cancelled", run_id)
        return stop(runtime, runtime.nights.get(run_id))
    return with_outcomes(runtime, runtime.nights.get(run_id))


def stop(runtime: Runtime, run: NightlyRun) -> NightlyRun:
    """Ask every job of a cancelled run to stop, and end the run if all of them are over."""
    models = {model: _stopped(runtime, run, outcome) for model, outcome in run.models.items()}
    runtime.nights.update(run.id, models=models)
    run = replace(run, models=models)
    if all(outcome.over for outcome in models.values()):
        end(runtime, run)
    return runtime.nights.get(run.id)


def end(runtime: Runtime, run: NightlyRun) -> None:
    """End a run whose models are over."""
    state, reason = end_of(run)
    if runtime.nights.finish(run.id, state, reason):
        level = logging.INFO if state == "succeeded" else logging.WARNING
        log.log(level, "nightly run %s: %s%s", run.id, state, f" ({reason})" if reason else "")


def job_id_of(run: NightlyRun, model: str) -> str:
    """The id of the job that recomputes a model in a run."""
    return f"{run.id}-{model}"


def with_outcomes(runtime: Runtime, run: NightlyRun) -> NightlyRun:
    """A run with what its jobs have come to, which is recorded."""
    models = {name: _followed(runtime, outcome) for name, outcome in run.models.items()}
    if models != run.models:
        runtime.nights.update(run.id, models=models)
    return replace(run, models=models)


def follow(runtime: Runtime, dispatch: Dispatcher) -> None:
    """Move every run on whose jobs are over, or whose worker went silent.

    All that depends on the settings of workers is left to them: a command may do this, too.
    """
    for run in runtime.nights.active():
        if run.cancelled:
            stop(runtime, run)
        else:
            _move_on(runtime, dispatch, run)


def _move_on(runtime: Runtime, dispatch: Dispatcher, run: NightlyRun) -> None:
    if run.stage == "models" and run.state == "running":
        run = with_outcomes(runtime, run)
        if all(outcome.over for outcome in run.models.values()):
            if runtime.nights.advance(run.id, "models", "retire"):
                dispatch.night(run.id)
            return
        if not run.with_state("waiting"):
            return
    if not runtime.nights.is_stalled(run):
        return
    if run.attempts >= MAX_ATTEMPTS:
        runtime.nights.finish(run.id, "failed", f"{run.stage} was tried {run.attempts} times and never ended")
    elif not dispatch.waiting("io"):
        log.warning("nightly run %s: %s went silent, sent again", run.id, run.stage)
        dispatch.night(run.id)


def _start_model(runtime: Runtime, dispatch: Dispatcher, run: NightlyRun, model: str) -> ModelOutcome:
    job_id = job_id_of(run, model)
    if not runtime.jobs.exists(job_id):
        if holder := _holder(runtime, model, job_id):
            return ModelOutcome(model, "skipped", reason=f"job {holder.id} was at work on it")
        schedule = schedules_of(runtime.settings).by_name.get(run.schedule)
        if schedule is None:
            return ModelOutcome(model, "skipped", reason=f"schedule {run.schedule} was taken out meanwhile")
        try:
            params = {"dataset": run.dataset} | schedule.params(model)
        except InvalidConfig as error:
            return ModelOutcome(model, "failed", reason=str(error))
        runtime.jobs.create("pipeline", model, params=params, job_id=job_id, trace=run.id)
        dispatch.start(job_id)
    return outcome_of(runtime.jobs.get(job_id))


def _holder(runtime: Runtime, model: str, besides: str) -> Job | None:
    at_work = [job for job in runtime.jobs.active() if job.model == model and job.id != besides]
    return next((job for job in at_work if job.kind in HOLDING_KINDS), None)


def _stopped(runtime: Runtime, run: NightlyRun, outcome: ModelOutcome) -> ModelOutcome:
    outcome, job_id = _followed(runtime, outcome), job_id_of(run, outcome.model)
    if outcome.over:
        return outcome
    if runtime.jobs.exists(job_id):  # be it that whoever began it did not note it yet
        return outcome_of(runtime.jobs.request_cancel(job_id))
    return replace(outcome, state="cancelled", reason="it had not begun")


def _followed(runtime: Runtime, outcome: ModelOutcome) -> ModelOutcome:
    if outcome.over or not outcome.job:
        return outcome
    try:
        return outcome_of(runtime.jobs.get(outcome.job))
    except JobNotFound:
        return replace(outcome, state="failed", reason="the record of its job is gone")
