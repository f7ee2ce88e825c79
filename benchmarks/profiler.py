"""What the profiler costs under the polling bot at full speed, and whether anything fails. Starts everything.

    python -m benchmarks.profiler [--rounds 5] [--seconds 5] [--users 200000] [--json]

One reader per side over the same generation with a cold cache, the bot (`topshelf bot`, 16 connections, als)
in a process of its own beside it: (off) no profiler; (1 in 100), (every one) TOPSHELF_PROFILE_EVERY, which is
20 a second at most; (marked) the admin's header on every request, one of which is profiled at a time; (both)
header and sampling. Every round gives each side its turn, the order rotated, the others asleep. Speeds are
medians over the rounds, ratios medians of each round's own. The exit code is 1 when a request failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.reading.apps.serving import TOKEN
from benchmarks.reading.servers import ROOT, Server
from benchmarks.reading.sides import READER, Place
from benchmarks.reading.stock import MODEL, stock
from store.embedded import EmbeddedRedis
from topshelf.settings import process_environment

ADMIN = "benchmark-admin"
SIDES: dict[str, tuple[int, int]] = {
    "off": (0, 0),
    "1 in 100": (100, 0),
    "every one": (1, 0),
    "marked": (0, 1),
    "both": (1, 1),
}
"""TOPSHELF_PROFILE_EVERY, and the bot's --profile."""


@dataclass(frozen=True)
class Turn:
    """What the bot said, and the reader's processor time and memory."""

    bot: dict[str, Any]
    cpu_seconds: float
    rss_mb: float

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return float(self.bot["per_second"])

    @property
    def cpu_us(self) -> float:
        """Processor time of the reader for a request, in microseconds."""
        return 1e6 * self.cpu_seconds / float(self.bot["answered"])


def main() -> int:
    """Print a row a side."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profiler",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--json", action="store_true", help="print one object last")
    given = parser.parse_args()
    turns = measure(given.rounds, given.seconds, given.users)
    rows = {name: _row(found, turns["off"]) for name, found in turns.items()}
    print(f"| profiler | {' | '.join(rows['off'])} |")
    print("|---|" + "---:|" * len(rows["off"]))
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{value:,.6g}' for value in row.values())} |")
    if given.json:
        print(json.dumps(rows))
    return int(any(turn.bot["failed"] for found in turns.values() for turn in found))


def measure(rounds: int, seconds: float, users: int) -> dict[str, list[Turn]]:
    """Turns of every side."""
    turns: dict[str, list[Turn]] = {name: [] for name in SIDES}
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="topshelf-profiler-")))
        redis = held.enter_context(EmbeddedRedis(folder / "redis", append_only=False))
        place = Place(redis.url, stock(redis.url, users, 1, 0), folder)
        readers = {name: _reader(name, every, place, held) for name, (every, _) in SIDES.items()}
        for number in range(rounds):
            order = [*SIDES][number % len(SIDES) :] + [*SIDES][: number % len(SIDES)]
            for name in order:
                turns[name].append(_turn(readers[name], place, SIDES[name][1], seconds, users))
    return turns


def _reader(name: str, every: int, place: Place, held: ExitStack) -> Server:
    environment = place.reader({"cache_mb": 0, "profile_every": every, "tokens_admin": ADMIN})
    server = held.enter_context(Server(READER, environment, place.folder / f"{name}.log"))
    server.wait(place.first_path, TOKEN, source="cache")
    server.pause()
    return server


def _turn(reader: Server, place: Place, profile: int, seconds: float, users: int) -> Turn:
    reader.wake()
    reader.wait(place.first_path, TOKEN, source="cache")
    began = reader.cpu_seconds()
    found = _bot(reader, place, profile, seconds, users)
    turn = Turn(found, reader.cpu_seconds() - began, reader.rss_anon_mb())
    reader.pause()
    return turn


def _bot(reader: Server, place: Place, profile: int, seconds: float, users: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "topshelf", "bot", "--users", f"1-{users}", "--model", MODEL, "--json"]
    command += ["--url", f"http://127.0.0.1:{reader.port}", "--token", ADMIN]
    command += ["--seconds", str(seconds), "--profile", str(profile)]
    environment = process_environment() | {"TOPSHELF_DATA_DIR": str(place.folder), "PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def _row(turns: Sequence[Turn], off: Sequence[Turn]) -> dict[str, float]:
    pairs = list(zip(turns, off, strict=True))
    return {
        "requests/s": median(turn.per_second for turn in turns),
        "of off": median(turn.per_second / base.per_second for turn, base in pairs),
        "p50 ms": median(turn.bot["latency_ms"]["p50"] for turn in turns),
        "p99 ms": median(turn.bot["latency_ms"]["p99"] for turn in turns),
        "CPU µs": median(turn.cpu_us for turn in turns),
        "CPU of off": median(turn.cpu_us / base.cpu_us for turn, base in pairs),
        "RSS MB": max(turn.rss_mb for turn in turns),
        "profiled": sum(turn.bot["profiled"] for turn in turns),
        "answered": sum(turn.bot["answered"] for turn in turns),
        "failed": sum(turn.bot["failed"] for turn in turns),
    }


if __name__ == "__main__":
    sys.exit(main())
