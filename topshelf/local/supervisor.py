"""Keeps the services of one machine running: starts them in order, restarts what dies, stops all."""

import logging
import threading
from collections.abc import Callable, Sequence

from topshelf.local.watch import Service, Watch

__all__ = ["Service", "Supervisor"]

log = logging.getLogger(__name__)


class Supervisor:
    """Runs services; a context manager.

    Args:
        services: in the order they are started; they are stopped the other way round.
        say: called with a line for people when a service died, came back or cannot; from any thread.
    """

    def __init__(self, services: Sequence[Service], say: Callable[[str], None] = log.warning) -> None:
        self._services = list(services)
        self._stopping = threading.Event()
        self._watches = [Watch(service, say, self._stopping) for service in services]

    def start(self) -> None:
        """Start every service: the first one alone, as the others need it, then all at once.

        Raises:
            ServiceError: one does not become ready; those that did are stopped.
        """
        try:
            for service in self._services:
                service.bound_log()
                service.launch()
                if service is self._services[0]:
                    service.wait_until_ready()
            for service in self._services[1:]:
                service.wait_until_ready()
        except BaseException:  # Ctrl-C during the start leaves nothing behind either
            self.stop()
            raise
        for watch in self._watches:
            watch.start()

    def stop(self) -> None:
        """Stop every service, the last one first; may be called twice."""
        self._stopping.set()
        for watch in self._watches:
            watch.join()
        for service in self._services[1:]:
            service.ask_to_stop()
        for service in reversed(self._services):
            service.stop()

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
