"""From exec to the first answer 200: ours and a bare FastAPI + redis hello, in turn."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.reading.apps.serving import TOKEN
from benchmarks.reading.servers import Server
from benchmarks.reading.sides import READER, Place


@dataclass(frozen=True)
class Startup:
    """Medians in seconds; ``cold`` is a start whose catalogue and index are not on this host yet."""

    hello_seconds: float
    warm_seconds: float
    cold_seconds: float

    @property
    def over_plain(self) -> float:
        """Ours over the hello."""
        return self.warm_seconds / self.hello_seconds


def measure_startup(place: Place, times: int) -> Startup:
    """Start each ``times`` times, in turn, after one start that does not count.

    Raises:
        ServiceError: one of them did not start.
    """
    hello = place.app("redis_hello", redis=place.redis_url)
    fresh = place.folder / "cache of a new host"
    taken: dict[str, list[float]] = {"hello": [], "warm": [], "cold": []}
    for _ in range(times + 1):
        shutil.rmtree(fresh, ignore_errors=True)
        taken["hello"].append(_seconds(hello, {}, "/hello", "", place.folder / "hello.log"))
        for name, cache_dir in (("warm", place.cache_dir), ("cold", fresh)):
            environment = place.reader({"cache_dir": cache_dir})
            log = place.folder / f"start-{name}.log"
            taken[name].append(_seconds(READER, environment, place.first_path, "cache", log))
    return Startup(*(median(taken[name][1:]) for name in ("hello", "warm", "cold")))


def _seconds(
    command: Sequence[str], environment: Mapping[str, str], path: str, source: str, log: Path
) -> float:
    server = Server(command, environment, log)
    began = time.perf_counter()
    with server:
        server.wait(path, TOKEN, source=source)
        return time.perf_counter() - began
