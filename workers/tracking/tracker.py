"""The interface of every tracker."""

import socket
import urllib.parse
from abc import ABC, abstractmethod
from typing import ClassVar

from topshelf.errors import TrackerUnavailable
from workers.tracking.run import Run

CONNECT_SECONDS = 3


class Tracker(ABC):
    """Takes runs over from their files. Its library is imported in the process that sends, nowhere else."""

    name: ClassVar[str]
    whole_runs: ClassVar[bool] = False
    """Takes a run once, when it is over; otherwise it is told what is new."""

    @abstractmethod
    def send(self, run: Run, since: int) -> None:
        """Take a run's events from number ``since`` on; being told some of them twice does no harm.

        Raises:
            TrackerError: it could not; the same events come again later.
        """

    def deliver(self) -> None:  # noqa: B027 -- most have nothing to deliver
        """Send what ``send`` left on this disk on to a server, where there is one.

        Raises:
            TrackerError: it could not; what is left is kept for the next time.
        """

    def has_undelivered(self) -> bool:
        """Whether ``deliver`` has something to do."""
        return False

    def environment(self) -> dict[str, str]:
        """Variables the library reads, for the process that sends."""
        return {}

    def secret_environment(self) -> dict[str, str]:
        """As ``environment``, what must show in no log."""
        return {}


def check_reachable(url: str) -> None:
    """Find out in seconds what a client's own retries take a minute for.

    Raises:
        TrackerUnavailable: nobody listens at a server's URL.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise TrackerUnavailable(f"nobody answers at {parts.hostname}:{port}: {error}") from error
