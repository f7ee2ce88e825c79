"""Telling the trackers what was written down of the runs, in processes that may take only so long."""

import logging
import subprocess
import sys
import time

from topshelf.settings import process_environment
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tracking.tracker import Tracker
from workers.tracking.trackers import create_trackers

log = logging.getLogger(__name__)

SHOWN_CHARACTERS = 2_000


def sync_runs(runtime: Runtime, dispatch: Dispatcher) -> None:  # noqa: ARG001 -- every task takes both
    """Tell every tracker what it lacks; what one cannot take now is kept and comes again next time.

    A tracker's library, and a server that does not answer, are a process of their own that is killed
    after ``sync_limit_seconds``.
    """
    for tracker in create_trackers(runtime.settings).with_work(time.time()):
        _send(runtime, tracker)


def _send(runtime: Runtime, tracker: Tracker) -> None:
    settings = runtime.settings
    secrets = tracker.secret_environment()
    environ = process_environment() | settings.to_environment() | tracker.environment() | secrets
    try:
        ended = subprocess.run(  # noqa: S603 -- argv is ours; secrets go by the environment
            [sys.executable, "-m", "workers.tracking", tracker.name],
            env=environ,
            capture_output=True,
            text=True,
            timeout=settings.sync_limit_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        log.warning("%s took longer than %d s; the rest is kept", tracker.name, settings.sync_limit_seconds)
        return
    if ended.returncode:
        said = settings.without_secrets(ended.stderr, *secrets.values()).strip()[-SHOWN_CHARACTERS:]
        log.warning("%s could not take everything, the rest is kept: %s", tracker.name, said)
