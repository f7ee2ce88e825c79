"""How fast the reader answers, beside what it could be compared with. Starts everything itself, on loopback.

    python -m benchmarks.reader [--quick] [--client wrk|oha|bundled] [--chart FILE.svg] [--json]

Sides, each one process: (a) a bare ASGI hello, (b) a plain FastAPI + redis.asyncio reader over the same
generation, (c) a service that scores an als model in the request, then Topshelf's reader (d) with a cold
cache, (e) warm, (f) for users without a row (kNN), (g) with Sentry on, (h) with one request in 100 profiled.
Every round gives each side its turn, the order rotated, the others asleep. Users are drawn Zipf (s = 1).
Speeds are medians over the rounds, ratios medians of each round's own. Some five minutes long; --quick, with
fewer users and rounds, ends within one. The exit code is 1 when requests to Topshelf failed.
"""

import argparse
import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.reading.apps.serving import TOKEN
from benchmarks.reading.chart import draw
from benchmarks.reading.draws import zipf_users
from benchmarks.reading.generators import NAMES, Generator, generator
from benchmarks.reading.measures import Turn
from benchmarks.reading.report import Limit, Results, as_json, failed, machine, report
from benchmarks.reading.rounds import CONNECTIONS, Contestant, Paths, Rounds, warm, write_paths
from benchmarks.reading.servers import Server
from benchmarks.reading.sides import READER, Place, Side, all_sides, path_of
from benchmarks.reading.sink import sentry_sink
from benchmarks.reading.startup import measure_startup
from benchmarks.reading.stock import stock
from store.connection import connect
from store.embedded import EmbeddedRedis
from topshelf.errors import ServiceError, TopshelfError

WARMING_TIMES = 3
CAREFUL = ("g", "h")
"""Sides that must not fail in many requests."""
LONGEST_MORE_SECONDS = 60
ONE_CONNECTION_TURNS = 3


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    users: int
    newcomers: int
    drawn: int
    rounds: int
    seconds: int
    starts: int
    careful_requests: int


FULL = Scale(
    users=1_000_000, newcomers=10_000, drawn=400_000, rounds=5, seconds=4, starts=5, careful_requests=200_000
)
QUICK = Scale(
    users=200_000, newcomers=2_000, drawn=100_000, rounds=2, seconds=1, starts=3, careful_requests=0
)


def main() -> int:
    """Print the tables; 1 where requests failed or something did not start."""
    given = _arguments()
    scale = QUICK if given.quick else FULL
    scale = replace(scale, rounds=given.rounds or scale.rounds, users=given.users or scale.users)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        results = _measure(scale, given.client, given.seed)
        if given.chart:
            draw(results, given.chart)
    except TopshelfError as error:
        print(error, file=sys.stderr)
        return 1
    print(report(results))
    if given.json:
        print(json.dumps(as_json(results)))
    return int(failed(results) > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reader",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer users and rounds, within a minute")
    parser.add_argument("--client", choices=NAMES, help="load generator; the first installed by default")
    parser.add_argument("--rounds", type=int, help=f"{FULL.rounds} by default, {QUICK.rounds} with --quick")
    parser.add_argument("--users", type=int, help=f"{FULL.users:,} by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw a chart (needs matplotlib)")
    parser.add_argument("--json", action="store_true", help="print one object last")
    return parser.parse_args()


def _measure(scale: Scale, client: str | None, seed: int) -> Results:
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="topshelf-reader-")))
        generating = generator(client, folder, TOKEN)
        redis = held.enter_context(EmbeddedRedis(folder / "redis", append_only=False))
        _tell(f"stocking {scale.users:,} users")
        place = Place(redis.url, stock(redis.url, scale.users, scale.newcomers, seed), folder)
        sink = held.enter_context(sentry_sink())
        _tell("starting everything once and again")
        startup = measure_startup(place, scale.starts)
        body = _sample(place)
        sides = all_sides(place, body, sink.dsn)
        rounds = Rounds(generating, _write_paths(place, scale, seed))
        contestants = _start(place, sides, held)
        turns = rounds.run(contestants, scale.rounds, scale.seconds, _tell)
        more = _further(rounds, contestants, turns, scale)
        [newcomers] = [contestant for contestant in contestants if contestant.side.key == "f"]
        _tell("one connection to (f)")
        one_connection = [
            rounds.turn(newcomers, scale.seconds, connections=1) for _ in range(ONE_CONNECTION_TURNS)
        ]
        results = Results(
            sides=sides,
            turns=turns,
            more=more,
            one_connection=one_connection,
            startup=startup,
            rss_mb=_rss_mb(rounds, place, scale),
            limit=_limit(rounds, generating, place, body, scale),
            facts={
                "users": f"{scale.users:,}",
                "rounds": scale.rounds,
                "seconds": scale.seconds,
                "connections": CONNECTIONS,
                "seed": seed,
                "sentry_posts": sink.posts,
                "machine": machine(),
                "redis": _version_of(redis.url),
                "uvicorn": version("uvicorn"),
            },
        )
    _tell("")
    return results


def _version_of(redis_url: str) -> str:
    with connect(redis_url) as client:
        return str(client.info("server")["redis_version"])


def _sample(place: Place) -> bytes:
    """What the reader answers for a user with an id of the usual length."""
    user = place.stock.n_users // 2
    with Server(READER, place.reader(), place.folder / "sample.log") as server:
        return server.wait(path_of(user), TOKEN, source="cache").body


def _write_paths(place: Place, scale: Scale, seed: int) -> Paths:
    rng = np.random.default_rng(seed)
    stocked, newcomers = place.folder / "stocked.txt", place.folder / "newcomers.txt"
    write_paths(stocked, zipf_users(place.stock.n_users, scale.drawn, rng).tolist())
    write_paths(newcomers, rng.permutation(place.stock.newcomers).tolist())
    return {"stocked": stocked, "newcomers": newcomers}


def _start(place: Place, sides: list[Side], held: ExitStack) -> list[Contestant]:
    """Start what can be measured, see that it answers, and put it to sleep."""
    contestants = []
    for side in sides:
        if side.lacks:
            continue
        _tell(f"starting ({side.key}) {side.title}")
        server = Server(side.command, side.environment, place.folder / f"{side.key}.log")
        held.enter_context(server)
        user = place.stock.newcomers[0] if side.audience == "newcomers" else 1
        contestant = Contestant(side, server, path_of(user))
        contestant.wake()
        if side.warm:
            warm(server, place.stock.users_of_every_bucket(WARMING_TIMES).tolist(), place.folder)
        server.pause()
        contestants.append(contestant)
    return contestants


def _further(
    rounds: Rounds, contestants: list[Contestant], turns: dict[str, list[Turn]], scale: Scale
) -> dict[str, Turn]:
    """Load on the careful sides until they have had their requests."""
    more = {}
    for contestant in contestants:
        key = contestant.side.key
        had = [turn.load for turn in turns[key]]
        missing = scale.careful_requests - sum(load.requests for load in had)
        if key not in CAREFUL or missing <= 0:
            continue
        _tell(f"{missing:,} requests more to ({key})")
        per_second = sum(load.requests for load in had) / sum(load.seconds for load in had)
        seconds = min(LONGEST_MORE_SECONDS, int(1.1 * missing / per_second) + 1)
        more[key] = rounds.turn(contestant, seconds)
    return more


def _rss_mb(rounds: Rounds, place: Place, scale: Scale) -> float:
    """Memory of a reader with the default settings once it has served from every bucket."""
    _tell("the memory of one reader")
    with Server(READER, place.reader(), place.folder / "memory.log") as server:
        server.wait(place.first_path, TOKEN, source="cache")
        warm(server, place.stock.users_of_every_bucket(WARMING_TIMES).tolist(), place.folder)
        rounds.load(server, "stocked", scale.seconds)
        return server.rss_anon_mb()


def _limit(rounds: Rounds, generating: Generator, place: Place, body: bytes, scale: Scale) -> Limit:
    _tell("the load generator's own limit")
    command = place.app("canned", body=body.decode())
    with Server(command, {}, place.folder / "canned.log") as server:
        server.wait(place.first_path)
        load = rounds.load(server, "stocked", scale.seconds)
    if load.failed:
        raise ServiceError(f"{load.failed} requests failed against a server that does nothing")
    return Limit(generating.name, load.per_second, min(1.0, load.generator_cpu_seconds / load.seconds))


def _tell(message: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{message}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
