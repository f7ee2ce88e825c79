"""Keeps one service running: starts it again when it died, or when it lives and answers nobody."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from topshelf.errors import ServiceError

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STABLE_AFTER_SECONDS = 60.0
WATCH_SECONDS = 0.2
LOOK_EVERY_SECONDS = 10.0
SILENT_SECONDS = 60.0
"""How long a watched service may give no answer before it is stopped and started again."""


class Service(Protocol):
    """What can be supervised."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def running(self) -> bool:
        """Whether it is alive."""

    @property
    def watched(self) -> bool:
        """Whether it hangs when it is not ready for long, once it was."""

    @property
    def ended_with(self) -> str:
        """How it ended, in words."""

    def launch(self) -> None:
        """Start it without waiting.

        Raises:
            ServiceError: it cannot be started.
        """

    def is_ready(self) -> bool:
        """Whether it answers now; comes back within a second or two."""

    def wait_until_ready(self) -> None:
        """Wait for it.

        Raises:
            ServiceError: it ended, or is not ready in time.
        """

    def ask_to_stop(self) -> None:
        """Request the end without waiting."""

    def stop(self) -> None:
        """Bring the end about."""

    def bound_log(self) -> None:
        """Keep its log from growing without end."""


class Watch:
    """A thread that looks after one service that was started.

    Deaths in a row, each within ``STABLE_AFTER_SECONDS`` of the start before it, make the pauses longer.
    Every one is said until the pause is at its longest; from then on only one of another kind. The return is
    said at once after the first death, and once it lasts after more.
    """

    def __init__(self, service: Service, say: Callable[[str], None], stopping: threading.Event) -> None:
        self._service = service
        self._say = say
        self._stopping = stopping
        self._thread = threading.Thread(target=self._run, name=f"supervisor-{service.name}", daemon=True)
        self._launched = self._answered = self._looked = 0.0
        self._died = 0.0
        self._away = self._unborn = False
        self._deaths = 0
        self._pause = 0.0
        self._said = ""

    def start(self) -> None:
        """Begin to watch."""
        self._launched = self._answered = self._looked = time.monotonic()
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread, which ends once ``stopping`` is set."""
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            if not self._service.running:
                self._restart()
                continue
            if self._away:
                self._look_for_return()
            if time.monotonic() - self._looked >= LOOK_EVERY_SECONDS:
                self._look()

    def _restart(self) -> None:
        now = time.monotonic()
        if not self._deaths or now - self._launched > STABLE_AFTER_SECONDS:
            self._deaths, self._pause, self._died = 0, FIRST_PAUSE_SECONDS, now
        else:
            self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause)
        self._away = True
        if not self._unborn:
            self._deaths += 1
            self._say_death()
        if self._stopping.wait(self._pause):
            return
        self._service.bound_log()
        self._launched = self._answered = time.monotonic()
        try:
            self._service.launch()
            self._unborn = False
        except ServiceError as error:
            self._unborn = True
            self._say_once(f"{self._service.name} could not be started again: {error}")

    def _say_death(self) -> None:
        name, ended = self._service.name, self._service.ended_with
        often = f", {self._deaths} times in a row" if self._deaths > 1 else ""
        if self._pause < LONGEST_PAUSE_SECONDS:
            self._say(f"{name} {ended}{often}; it starts again in {self._pause:g} s")
        else:
            self._say_once(f"{name} {ended} again and again; it starts every {self._pause:g} s from now on")

    def _say_once(self, line: str) -> None:
        if line != self._said:
            self._said = line
            self._say(line)

    def _look_for_return(self) -> None:
        again = self._deaths > 1
        if again and time.monotonic() - self._launched < STABLE_AFTER_SECONDS:
            return
        if self._service.is_ready():
            how = "and stays" if again else f"after {time.monotonic() - self._died:.1f} s"
            self._say(f"{self._service.name} is back {how}")
            self._away, self._said = False, ""
            self._answered = self._looked = time.monotonic()

    def _look(self) -> None:
        self._service.bound_log()
        self._looked = time.monotonic()
        if not self._service.watched or self._service.is_ready():
            self._answered = time.monotonic()
        elif (silent := time.monotonic() - self._answered) > SILENT_SECONDS and self._service.running:
            self._say(f"{self._service.name} lives and has given no answer for {silent:.0f} s; it is stopped")
            self._service.stop()
