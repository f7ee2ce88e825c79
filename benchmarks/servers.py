"""Which server runs the reader best: uvicorn with and without the reader's own protocol, granian.

    python -m benchmarks.servers [--rounds 3] [--json]

The same reader over the same generation of 200,000 users with a cold cache, under wrk (or what is installed),
32 connections. A side whose server is not installed is left out; granian is no part of Topshelf
(pip install granian). Several processes share one socket; a load generator on the same two cores takes what
they would need, so that the rates with two processes say little, and the processor time of a request more.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.reading.apps.serving import TOKEN
from benchmarks.reading.draws import zipf_users
from benchmarks.reading.generators import generator
from benchmarks.reading.measures import Figures, Turn, figures
from benchmarks.reading.rounds import Rounds, write_paths
from benchmarks.reading.servers import Server
from benchmarks.reading.sides import READER, Place
from benchmarks.reading.stock import stock
from store.embedded import EmbeddedRedis

USERS, DRAWN, SECONDS = 200_000, 100_000, 3
FACTORY = "api.server:app_from_environment"
UVICORN = ["-m", "uvicorn", "--factory", FACTORY, "--port", "{port}", "--loop", "uvloop"]
GRANIAN = [
    "-m",
    "granian",
    "--interface",
    "asgi",
    "--factory",
    FACTORY,
    "--port",
    "{port}",
    "--loop",
    "uvloop",
]

SIDES: dict[str, tuple[list[str], int]] = {
    "uvicorn, the reader's protocol": (READER, 1),
    "uvicorn, httptools": ([sys.executable, *UVICORN, "--http", "httptools", "--no-access-log"], 1),
    "granian, asgi": ([sys.executable, *GRANIAN, "--no-access-log"], 1),
    "uvicorn, the reader's protocol, 2 processes": (READER, 2),
    "granian, asgi, 2 processes": ([sys.executable, *GRANIAN, "--no-access-log", "--workers", "2"], 2),
}


def main() -> None:
    """Print a row a server."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.servers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    found = measure(arguments.rounds)
    print(f"{'':<46}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'failed':>9}")
    for name, one in found.items():
        print(
            f"{name:<46}{one.per_second:>12,.0f}{one.p50_ms:>9.2f}{one.p99_ms:>9.2f}{one.cpu_us:>9.0f}"
            f"{one.failed:>9}"
        )
    if arguments.json:
        print(json.dumps({name: asdict(one) for name, one in found.items()}))


def measure(rounds: int) -> dict[str, Figures]:
    """Figures of every server that is installed; each is started anew for each turn."""
    sides = {
        name: side
        for name, side in SIDES.items()
        if "granian" not in name or find_spec("granian") is not None
    }
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory(prefix="topshelf-servers-") as made:
        folder = Path(made)
        with EmbeddedRedis(folder / "redis", append_only=False) as redis:
            place = Place(redis.url, stock(redis.url, USERS, 1, 0), folder)
            paths = folder / "stocked.txt"
            write_paths(paths, zipf_users(USERS, DRAWN, np.random.default_rng(0)).tolist())
            load = Rounds(generator(None, folder, TOKEN), {"stocked": paths})
            for _ in range(rounds):
                for name, (command, processes) in sides.items():
                    environment = place.reader({"cache_mb": 0, "api_processes": processes})
                    with Server(command, environment, folder / "server.log") as server:
                        server.wait(place.first_path, TOKEN, source="cache")
                        load.load(server, "stocked", 1)
                        before = server.cpu_seconds()
                        measured = load.load(server, "stocked", SECONDS)
                        turns[name].append(Turn(measured, server.cpu_seconds() - before))
    return {name: figures(found) for name, found in turns.items()}


if __name__ == "__main__":
    main()
