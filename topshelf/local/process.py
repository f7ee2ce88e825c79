"""A child process with a log of its own and a way to tell when it is ready."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from topshelf.errors import ServiceError
from topshelf.local import logs

POLL_SECONDS = 0.05
LOG_LINES = 8


class Process:
    """One service; started in a session of its own, so that Ctrl-C reaches the supervisor alone.

    Where util-linux is installed it is told to stop when the supervisor dies, even by ``kill -9``.

    Args:
        name: what logs and messages call it.
        argv: the command.
        environ: its whole environment.
        log: file that its output is appended to.
        is_ready: asked after the start until it says yes.
        watched: whether it hangs when that says no for long later on.
        start_seconds: how long that may take.
        stop_seconds: how long it has between the request to stop and the end.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        log: Path,
        is_ready: Callable[[], bool],
        watched: bool = False,
        start_seconds: float = 60.0,
        stop_seconds: float = 20.0,
    ) -> None:
        self.name = name
        self.log = log
        self.watched = watched
        self.is_ready = is_ready
        self._argv = _ending_with_parent(argv)
        self._environ = dict(environ)
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None before the start."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def ended_with(self) -> str:
        """How the process ended, in words."""
        return in_words(self._child.poll() if self._child else None)

    def launch(self) -> None:
        """Start the process without waiting for it.

        Raises:
            ServiceError: it cannot be started.
        """
        self._end_group()  # what a dead process left behind may hold its port
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as log:
                self._child = subprocess.Popen(  # noqa: S603 -- argv is ours
                    self._argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environ,
                    start_new_session=True,
                )
        except OSError as error:
            raise ServiceError(f"{self.name} cannot be started: {error}") from error

    def wait_until_ready(self) -> None:
        """Wait for the process to say that it is ready.

        Raises:
            ServiceError: it ended, or took too long; names the log and its last lines.
        """
        deadline = time.monotonic() + self._start_seconds
        while not self.is_ready():
            if not self.running:
                raise ServiceError(f"{self.name} {self.ended_with}; see {self.log}:\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{self.name} was not ready after {self._start_seconds:.0f} s; "
                    f"see {self.log}:\n{self.last_lines()}"
                )
            time.sleep(POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Send SIGTERM; a process that is gone is fine."""
        if self._child is not None and self.running:
            self._child.terminate()

    def stop(self) -> None:
        """Ask the process to stop, then insist on its whole group."""
        if self._child is None:
            return
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(self._stop_seconds)
        self._end_group()

    def bound_log(self) -> None:
        """Keep the log from growing without end."""
        logs.bound(self.log)

    def last_lines(self) -> str:
        """The end of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES:])

    def _end_group(self) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()


def in_words(exit_code: int | None) -> str:
    """How a process ended; None is one that did not."""
    if exit_code is None:
        return "is running"
    return (
        f"was ended by {signal.Signals(-exit_code).name}"
        if exit_code < 0
        else f"ended with exit code {exit_code}"
    )


def _ending_with_parent(argv: Sequence[str]) -> list[str]:
    """The command, run behind what sends it SIGTERM when its parent is gone."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or shutil.which(argv[0]) is None:
        return list(argv)
    return [setpriv, "--pdeathsig", "TERM", "--", *argv]
