"""Redis killed under load, and back: what clients see, and how soon lists are fresh again.

    python -m benchmarks.outage [--times 5] [--json]

One reader with its defaults and 200,000 users, 32 connections asking for Zipf-distributed users without a
pause. Each time Redis is killed (SIGKILL), stays away for two seconds and is started again on the same
files. Prints the answers that were not 200, the seconds from Redis answering to the first fresh list, and
what Redis had to read and how many connections it had to take in the second after.
"""

import argparse
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reading.apps.serving import TOKEN
from benchmarks.reading.draws import zipf_users
from benchmarks.reading.generators import Bundled
from benchmarks.reading.measures import Load
from benchmarks.reading.rounds import CONNECTIONS, write_paths
from benchmarks.reading.servers import Server
from benchmarks.reading.sides import READER, Place
from benchmarks.reading.stock import stock
from store.connection import connect
from store.embedded import EmbeddedRedis, free_port

USERS, DRAWN = 200_000, 100_000
BEFORE_SECONDS, AWAY_SECONDS, AFTER_SECONDS = 2, 2, 2
STALE = "x-reco-stale"


def main() -> None:
    """Print a row a time."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.outage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    print(f"{'requests':>10}{'failed':>8}{'fresh after s':>15}{'reads':>9}{'connections':>13}")
    rows = []
    with tempfile.TemporaryDirectory(prefix="topshelf-outage-") as made:
        folder = Path(made)
        with EmbeddedRedis(folder / "redis", port=free_port()) as redis:
            place = Place(redis.url, stock(redis.url, USERS, 1, 0), folder)
            paths = folder / "stocked.txt"
            write_paths(paths, zipf_users(USERS, DRAWN, np.random.default_rng(0)).tolist())
            with Server(READER, place.reader(), folder / "reader.log") as server:
                server.wait(place.first_path, TOKEN, source="cache")
                for _ in range(arguments.times):
                    row = outage(redis, server, place, paths)
                    rows.append(row)
                    print(
                        f"{row['requests']:>10,}{row['failed']:>8}{row['fresh_after_seconds']:>15.2f}"
                        f"{row['reads']:>9,}{row['connections']:>13}",
                        flush=True,
                    )
    if arguments.json:
        median = statistics.median(row["fresh_after_seconds"] for row in rows)
        failed = sum(row["failed"] for row in rows)
        print(json.dumps({"fresh_after_seconds": median, "failed": failed, "times": rows}))


def outage(redis: EmbeddedRedis, server: Server, place: Place, paths: Path) -> dict[str, Any]:
    """One outage under load."""
    loads: list[Load] = []
    seconds = BEFORE_SECONDS + AWAY_SECONDS + AFTER_SECONDS + 3

    def load() -> None:
        client = Bundled(place.folder, TOKEN)
        loads.append(client.run(server.port, paths, connections=CONNECTIONS, seconds=seconds, start=0))

    asking = threading.Thread(target=load)
    asking.start()
    time.sleep(BEFORE_SECONDS)
    os.kill(redis.pid, signal.SIGKILL)
    time.sleep(AWAY_SECONDS)
    redis.stop()
    redis.start()
    back = time.monotonic()
    while (answer := server.get(place.first_path, TOKEN)) is None or STALE in answer.headers:
        time.sleep(0.005)
    fresh_after_seconds = time.monotonic() - back
    time.sleep(1)
    with connect(redis.url) as client:
        stats = client.info("commandstats")
        reads = sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("hget", "hgetall"))
        connections = client.info("stats")["total_connections_received"]
    asking.join()
    return {
        "requests": loads[0].requests,
        "failed": loads[0].failed,
        "fresh_after_seconds": fresh_after_seconds,
        "reads": reads,
        "connections": connections,
    }


if __name__ == "__main__":
    main()
