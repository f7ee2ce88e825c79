"""Keeps the services of one machine running: starts them in order, restarts what dies, stops all."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from topshelf.errors import ServiceError

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STABLE_AFTER_SECONDS = 60.0
WATCH_SECONDS = 0.2


class Service(Protocol):
    """What can be supervised."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def running(self) -> bool:
        """Whether it is alive."""

    @property
    def ended_with(self) -> str:
        """How it ended, in words."""

    def launch(self) -> None:
        """Start it without waiting.

        Raises:
            ServiceError: it cannot be started.
        """

    def wait_until_ready(self) -> None:
        """Wait for it.

        Raises:
            ServiceError: it ended, or is not ready in time.
        """

    def ask_to_stop(self) -> None:
        """Request the end without waiting."""

    def stop(self) -> None:
        """Bring the end about."""


class Supervisor:
    """Runs services; a context manager.

    Args:
        services: in the order they are started; they are stopped the other way round.
        say: called with a line for people when a service died, came back or cannot.
    """

    def __init__(self, services: Sequence[Service], say: Callable[[str], None] = log.warning) -> None:
        self._services = list(services)
        self._say = say
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._keep_running, name="supervisor", daemon=True)
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._launched: dict[str, float] = {}

    def start(self) -> None:
        """Start every service: the first one alone, as the others need it, then all at once.

        Raises:
            ServiceError: one does not become ready; those that did are stopped.
        """
        try:
            for service in self._services:
                self._launch(service)
                if service is self._services[0]:
                    service.wait_until_ready()
            for service in self._services[1:]:
                service.wait_until_ready()
        except BaseException:  # Ctrl-C during the start leaves nothing behind either
            self.stop()
            raise
        self._watch.start()

    def stop(self) -> None:
        """Stop every service, the last one first; may be called twice."""
        self._stopping.set()
        if self._watch.is_alive():
            self._watch.join()
        for service in self._services[1:]:
            service.ask_to_stop()
        for service in reversed(self._services):
            service.stop()

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _keep_running(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            for service in self._services:
                if not service.running:
                    self._restart(service)

    def _restart(self, service: Service) -> None:
        now = time.monotonic()
        if service.name not in self._due:
            lived = now - self._launched[service.name]
            pause = FIRST_PAUSE_SECONDS if lived > STABLE_AFTER_SECONDS else self._next_pause(service.name)
            self._pauses[service.name] = pause
            self._due[service.name] = now + pause
            self._say(f"{service.name} {service.ended_with}; it starts again in {pause:g} s")
        if now < self._due[service.name]:
            return
        del self._due[service.name]
        try:
            self._launch(service)
        except ServiceError as error:
            self._say(f"{service.name} could not be started again: {error}")

    def _next_pause(self, name: str) -> float:
        if name not in self._pauses:
            return FIRST_PAUSE_SECONDS
        return min(LONGEST_PAUSE_SECONDS, 2 * self._pauses[name])

    def _launch(self, service: Service) -> None:
        self._launched[service.name] = time.monotonic()
        service.launch()
