"""One server process: started, asked, put to sleep while others are measured, stopped."""

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Self

from benchmarks.reading.load import HOST
from store.embedded import free_port
from topshelf.errors import ServiceError
from topshelf.settings import process_environment

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.002
LOG_LINES = 8
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Server:
    """A child process that answers HTTP on ``port`` of the loopback address.

    ``{port}`` in the command and in the environment stands for the port.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        self._command = [part.format(port=self.port) for part in command]
        self._environment = {name: text.format(port=self.port) for name, text in environment.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the process; it answers some time later."""
        environment = {**process_environment(), "PYTHONPATH": str(ROOT), **self._environment}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def stop(self) -> None:
        """End the process, asleep or not."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id.

        Raises:
            ServiceError: it is not started.
        """
        if self._process is None:
            raise ServiceError("the server is not started")
        return self._process.pid

    def pause(self) -> None:
        """Let the process sleep, so that it takes nothing from the others."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def get(self, path: str, token: str = "", *, timeout_seconds: float = 5) -> Answer | None:
        """One answer; None where there is none."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout_seconds)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def wait(self, path: str, token: str = "", *, source: str = "", last: str = "") -> Answer:
        """The first answer 200, with ``X-Reco-Source: source`` where one is wanted.

        Raises:
            ServiceError: the process ended, or did not answer so in time; with the end of its log.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            answer = self.get(path, token)
            if answer is not None:
                last = f"{answer.status} {dict(answer.headers)}"
                if answer.status == HTTPStatus.OK and answer.headers.get("x-reco-source", "") == source:
                    return answer
            if self._process is None or self._process.poll() is not None:
                raise ServiceError(f"{self._named()} ended:\n{self._last_lines()}")
            time.sleep(POLL_SECONDS)
        raise ServiceError(f"{self._named()} does not answer as it should: {last}\n{self._last_lines()}")

    def cpu_seconds(self) -> float:
        """Processor time of the process, its threads and its children so far."""
        return sum(_cpu_ticks(pid) for pid in _family(self.pid)) / CLOCK_TICKS

    def rss_anon_mb(self) -> float:
        """Memory of the process that is its own: RssAnon of Linux, in MB of 10^6 bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise ServiceError("this system says nothing of RssAnon")

    def _named(self) -> str:
        return f"`{' '.join(self._command)}`"

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])


def _family(pid: int) -> list[int]:
    children = [
        int(child)
        for file in Path(f"/proc/{pid}/task").glob("*/children")
        for child in file.read_text().split()
    ]
    return [pid, *(member for child in children for member in _family(child))]


def _cpu_ticks(pid: int) -> int:
    """utime, stime and those of children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))
