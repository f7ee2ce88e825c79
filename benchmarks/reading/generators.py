"""Load generators: wrk, oha, and the bundled client for where neither is installed."""

import json
import math
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from benchmarks.reading.load import HOST
from benchmarks.reading.measures import Load
from topshelf.errors import ServiceError

NAMES = ("wrk", "oha", "bundled")
GRACE_SECONDS = 20
ROOT = Path(__file__).parents[2]

WRK_SCRIPT = """
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end
function init(args)
  local file, start = args[1], tonumber(args[2])
  wrk.headers["Authorization"] = "Bearer " .. args[3]
  requests = {}
  for path in io.lines(file) do requests[#requests + 1] = wrk.format("GET", path) end
  position = start + number * math.floor(#requests / 8)
end
function request()
  position = position % #requests + 1
  return requests[position]
end
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"us":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d,' ..
    '"p50_us":%.1f,"p99_us":%.1f,"p999_us":%.1f}\\n',
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.timeout,
    errors.status, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"""


class Generator(Protocol):
    """Sends GET requests to a port of this machine and measures the answers."""

    name: str

    def run(self, port: int, paths: Path, *, connections: int, seconds: int, start: int) -> Load:
        """Send the paths of a file, one a line, from line ``start`` on and around, for ``seconds``.

        Raises:
            ServiceError: the generator itself failed.
        """


class Wrk:
    """wrk with a Lua script that walks the paths; one thread."""

    name = "wrk"

    def __init__(self, folder: Path, token: str) -> None:
        self._script = folder / "walk.lua"
        self._script.write_text(WRK_SCRIPT)
        self._token = token

    def run(self, port: int, paths: Path, *, connections: int, seconds: int, start: int) -> Load:
        """Send the paths of a file for ``seconds``."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(self._script)]
        command += [f"http://{HOST}:{port}/", "--", str(paths), str(start), self._token]
        output, cpu_seconds = _run(command, seconds)
        return replace(read_wrk(output), generator_cpu_seconds=cpu_seconds)


class Oha:
    """oha with a list of addresses, of which it draws."""

    name = "oha"

    def __init__(self, folder: Path, token: str) -> None:
        self._addresses = folder / "addresses.txt"
        self._token = token

    def run(self, port: int, paths: Path, *, connections: int, seconds: int, start: int) -> Load:  # noqa: ARG002 -- it draws at random
        """Send the paths of a file for ``seconds``."""
        lines = paths.read_text().split()
        self._addresses.write_text("".join(f"http://{HOST}:{port}{path}\n" for path in lines))
        command = ["oha", "-z", f"{seconds}s", "-c", str(connections), "--no-tui", "--output-format", "json"]
        command += ["-H", f"Authorization: Bearer {self._token}"]
        command += ["--urls-from-file", str(self._addresses)]
        output, cpu_seconds = _run(command, seconds)
        return replace(read_oha(output), generator_cpu_seconds=cpu_seconds)


class Bundled:
    """The client of :mod:`benchmarks.reading.load`, in a process of its own."""

    name = "bundled"

    def __init__(self, folder: Path, token: str) -> None:  # noqa: ARG002 -- as the others
        self._token = token

    def run(
        self, port: int, paths: Path, *, connections: int, seconds: float, start: int, once: bool = False
    ) -> Load:
        """Send the paths of a file for ``seconds``; ``once`` ends after the last."""
        command = [sys.executable, "-m", "benchmarks.reading.load", f"--port={port}", f"--paths={paths}"]
        command += [f"--connections={connections}", f"--seconds={seconds}", f"--start={start}"]
        command += [f"--token={self._token}", *(["--once"] if once else [])]
        output, _ = _run(command, seconds)
        return Load(**json.loads(output))


def generator(name: str | None, folder: Path, token: str) -> Generator:
    """The generator of this name; by default the first that is installed.

    Raises:
        ServiceError: it is not installed.
    """
    makers: dict[str, Callable[[Path, str], Generator]] = {"wrk": Wrk, "oha": Oha, "bundled": Bundled}
    installed = [known for known in NAMES if known == "bundled" or shutil.which(known)]
    chosen = name or installed[0]
    if chosen not in installed:
        raise ServiceError(f"{chosen} is not installed; there are {', '.join(installed)}")
    return makers[chosen](folder, token)


def read_wrk(output: str) -> Load:
    """What the Lua script printed last."""
    said = json.loads(output.strip().splitlines()[-1])
    failed = sum(said[kind] for kind in ("connect", "read", "write", "timeout", "status"))
    latencies = (said[f"{name}_us"] / 1e3 for name in ("p50", "p99", "p999"))
    return Load(said["requests"], said["us"] / 1e6, failed, *latencies)


def read_oha(output: str) -> Load:
    """What oha prints as JSON; requests it broke off itself when the time was over did not fail."""
    said: dict[str, Any] = json.loads(output)
    statuses: dict[str, int] = said["statusCodeDistribution"]
    errors: dict[str, int] = said["errorDistribution"]
    failed = sum(count for status, count in statuses.items() if not status.startswith("2"))
    failed += sum(count for error, count in errors.items() if error != "aborted due to deadline")
    seconds = [said["latencyPercentiles"][name] for name in ("p50", "p99", "p99.9")]
    latencies = (math.nan if value is None else 1e3 * value for value in seconds)
    return Load(sum(statuses.values()), said["summary"]["total"], failed, *latencies)


def _run(command: Sequence[str], seconds: float) -> tuple[str, float]:
    """Standard output, and the processor time it took.

    Nothing else may be waited for meanwhile: the time is that of all children that ended.
    """
    before = _children_cpu_seconds()
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=seconds + GRACE_SECONDS, cwd=ROOT
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{command[0]} did not end") from error
    except subprocess.CalledProcessError as error:
        raise ServiceError(f"{command[0]} failed: {error.stderr.strip() or error.stdout.strip()}") from error
    return ended.stdout, _children_cpu_seconds() - before


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
