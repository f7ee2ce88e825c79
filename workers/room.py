"""Back-pressure: precompute waits while the serving Redis is nearly full, and goes on when there is room."""

import logging
import math
import time
from collections.abc import Callable

from rich.filesize import decimal

from store.connection import Memory, memory_of
from topshelf.errors import NotEnoughRoom
from workers.runtime import Runtime
from workers.task_events import tell_progress

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class Room:
    """Room in the serving Redis for one chunk of a job.

    While it waits it also sweeps: the reconciler, whose part that is, may stand behind this very chunk in a
    worker whose processes all wait.
    """

    def __init__(self, runtime: Runtime, job_id: str, check: Callable[[], None]) -> None:
        """``check`` is called at each turn of the wait; it raises where the chunk is not to be written."""
        self._runtime = runtime
        self._job_id = job_id
        self._check = check
        self._waited_seconds = 0.0
        self._swept = -math.inf

    def wait(self) -> None:
        """Return at once where there is room, else when there is.

        Raises:
            NotEnoughRoom: the chunk has waited for ``room_wait_seconds``.
        """
        while (memory := memory_of(self._runtime.serving)).share >= self._runtime.settings.memory_high_water:
            self._turn(memory)

    def refused(self) -> None:
        """Wait after the server refused a write: for one turn at least, whatever its memory looks like.

        Raises:
            NotEnoughRoom: the chunk has waited for ``room_wait_seconds``.
        """
        self._turn(memory_of(self._runtime.serving))
        self.wait()

    def _turn(self, memory: Memory) -> None:
        settings = self._runtime.settings
        used = f"{100 * memory.share:.0f} % of {decimal(memory.limit)} used"
        if self._waited_seconds >= settings.room_wait_seconds:
            raise NotEnoughRoom(
                f"no room in Redis after {settings.room_wait_seconds:g} s: {used}, precompute goes on below "
                f"{100 * settings.memory_high_water:g} %; raise maxmemory, lower TOPSHELF_K_STORE or free "
                "memory, then start the job again"
            )
        if not self._waited_seconds:
            log.warning("job %s waits for room in Redis: %s", self._job_id, used)
        message = f"waiting for room in Redis: {used}"
        self._runtime.jobs.update(self._job_id, message=message)
        tell_progress(message)
        now = time.monotonic()
        if now - self._swept >= settings.reconcile_seconds:
            self._swept = now
            self._runtime.sweep()
        time.sleep(POLL_SECONDS)
        self._waited_seconds += POLL_SECONDS
        self._check()
