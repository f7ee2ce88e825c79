"""Telling the hooks of nightly runs, from the runs' records: at least once, whoever dies in between.

What is to be told follows from a run's record, what was told is noted beside it. An attempt is noted before
it is made, so that a hook that kills its process, or hangs, is not tried again at once.
"""

import logging
import os
import secrets
import time
from collections.abc import Iterator
from typing import NamedTuple

from store.night import NightlyRun
from store.nights import Notice
from topshelf.errors import HookError, JobNotFound
from workers.dispatch import Dispatcher
from workers.hooks.configured import hooks_of
from workers.hooks.hook import RunHook
from workers.outcome import Outcome
from workers.runtime import Runtime

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 900.0
MOST_ATTEMPTS = 60
"""After half a day nobody is told any more."""
TURN_SECONDS = 30.0
TURN_LEASE_SECONDS = 120.0


class Occurrence(NamedTuple):
    """Something that a hook is told of: ``kind`` is the hook's method, ``job`` that of a refused model."""

    kind: str
    job: str = ""

    @property
    def name(self) -> str:
        """What it is noted as."""
        return f"{self.kind}:{self.job}" if self.job else self.kind


class Due(NamedTuple):
    """A notice whose time has come."""

    hook: RunHook
    run: NightlyRun
    occurrence: Occurrence
    notice: Notice

    @property
    def key(self) -> str:
        """What it is noted under."""
        return f"{self.hook.name}/{self.occurrence.name}"


def occurrences(run: NightlyRun) -> list[Occurrence]:
    """What there is to tell of a run by now, in order."""
    begun = run.state != "skipped" or run.started
    found = [Occurrence("started")] if begun else []
    found += [Occurrence("refused", outcome.job) for outcome in run.with_state("refused")]
    return [*found, Occurrence(run.state)] if run.over else found


def settle(runtime: Runtime) -> bool:
    """Whether a hook is to be told something now; runs of which nothing is left to tell are closed."""
    is_due = False
    hooks = hooks_of(runtime)
    for run in runtime.nights.open():
        left = [due for hook in hooks for due in _untold(runtime, hook, run)]
        if run.over and not left:
            runtime.nights.close(run.id)
        is_due = is_due or any(due.notice.next_epoch <= time.time() for due in left)
    return is_due


def tell_hooks(runtime: Runtime, dispatch: Dispatcher) -> Outcome:  # noqa: ARG001 -- every task takes both
    """Tell every hook what it was not told, one process at a time; the rest is told at the next turn."""
    owner = f"{os.getpid()}-{secrets.token_hex(4)}"
    if not runtime.nights.take_turn(owner, TURN_LEASE_SECONDS):
        return Outcome("another worker tells them")
    until = time.monotonic() + TURN_SECONDS
    told = tried = 0
    try:
        for due in _all_untold(runtime):
            if time.monotonic() > until:
                break
            if due.notice.next_epoch <= time.time():
                tried += 1
                told += _tell(runtime, due)
    finally:
        runtime.nights.end_turn(owner)
    return Outcome(f"{told} of {tried} notices delivered")


def _all_untold(runtime: Runtime) -> Iterator[Due]:
    hooks = hooks_of(runtime)
    for run in runtime.nights.open():
        for hook in hooks:
            yield from _untold(runtime, hook, run)


def _untold(runtime: Runtime, hook: RunHook, run: NightlyRun) -> Iterator[Due]:
    notices = runtime.nights.notices(run.id)
    for occurrence in occurrences(run):
        due = Due(hook, run, occurrence, notices.get(f"{hook.name}/{occurrence.name}", Notice()))
        if not due.notice.done:
            yield due


def _tell(runtime: Runtime, due: Due) -> bool:
    """Whether a notice was delivered."""
    attempts = due.notice.attempts + 1
    pause_seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempts - 1))
    later = Notice(attempts=attempts, next_epoch=time.time() + pause_seconds)
    runtime.nights.note(due.run.id, due.key, later)
    try:
        _call(runtime, due)
    except HookError as error:
        given_up = attempts >= MOST_ATTEMPTS
        runtime.nights.note(
            due.run.id, due.key, Notice(given_up, attempts, later.next_epoch, error=str(error))
        )
        rest = "nobody tells it any more" if given_up else f"it is told again in {pause_seconds:.0f} s"
        what = f"{due.occurrence.name} of nightly run {due.run.id}"
        log.warning("%s was not told %s: %s; %s", due.hook.name, what, error, rest)
        return False
    runtime.nights.note(due.run.id, due.key, Notice(done=True, attempts=attempts))
    return True


def _call(runtime: Runtime, due: Due) -> None:
    hook, run = due.hook, due.run
    match due.occurrence.kind:
        case "started":
            hook.started(run)
        case "succeeded":
            hook.succeeded(run)
        case "failed":
            hook.failed(run)
        case "skipped":
            hook.skipped(run)
        case "refused":
            try:
                job = runtime.jobs.get(due.occurrence.job)
            except JobNotFound:
                log.warning("%s is not told of job %s, whose record is gone", hook.name, due.occurrence.job)
                return
            hook.refused(run, job)
