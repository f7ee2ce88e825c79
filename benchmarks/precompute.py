"""How fast every user's list is made, written and published, beside what it could be compared with.

    python -m benchmarks.precompute [--train gowalla/train.npz] [--quick] [--device cuda] [--json]

(1) Exact top-10 of 29,858 users over 40,981 items, 64 factors: implicit's recommend, a plain torch loop and
ours take turns over the same ALS vectors, of the pairs in --train where given, else of made-up ones.
(2) A catalogue of 1,000,000 items: a plain product of blocks of 64 users, our exact ranker, and a
graph (nmslib HNSW) at the least effort that finds .95 of the exact lists; its building is told apart.
(3) Packing and writing 1,000,000 users' rows of 10 and of 20 items, and the bytes they take in Redis.
(4) A whole precompute through a real worker of two processes at KION's size, 962,179 users over 15,706 items,
128 factors, from the job to the live pointer; a tenth and three times of the users over the same items.
Figures are medians over rounds. Twenty-five minutes or so on two cores; --quick leaves (4) out and makes (2)
small.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.precomputing.nightly import Population, Run, median_run, precompute_run
from benchmarks.precomputing.rankers import by_implicit, by_torch, ours, take_turns
from benchmarks.precomputing.report import Results, as_json, draw, report
from benchmarks.precomputing.wide import evenly_long, measure_wide
from benchmarks.precomputing.work import Work, from_file, synthetic
from benchmarks.precomputing.writing import measure_writing
from interactions.synthetic import SyntheticShape
from topshelf.errors import TopshelfError

if TYPE_CHECKING:
    from benchmarks.precomputing.device import DeviceTime

KION = SyntheticShape()
GOWALLA = SyntheticShape(users=29_858, items=40_981, interactions=810_128)
K, K_STORE = 10, 20
RECALL_FLOOR = 0.95
SIZES = (0.1, 1.0, 3.0)
KION_FACTORS, KION_ITERATIONS = 128, 2
RUN_ROUNDS = 3


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    rounds: int
    wide: SyntheticShape
    wide_users: int
    written: int
    sizes: tuple[float, ...]


FULL = Scale(
    rounds=5,
    wide=SyntheticShape(users=200_000, items=1_000_000, interactions=10_000_000, clusters=400),
    wide_users=512,
    written=1_000_000,
    sizes=SIZES,
)
QUICK = Scale(
    rounds=3,
    wide=SyntheticShape(users=20_000, items=30_000, interactions=600_000),
    wide_users=512,
    written=1_000_000,
    sizes=(),
)


def main() -> int:
    """Print the tables; 1 where something did not start or did not end well."""
    given = _arguments()
    try:
        results = _measure(QUICK if given.quick else FULL, given)
        if given.chart:
            draw(results, given.chart)
    except TopshelfError as error:
        print(error, file=sys.stderr)
        return 1
    print(report(results))
    if given.json:
        print(json.dumps(as_json(results)))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.precompute",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--train", type=Path, metavar="FILE", help="pairs as scipy CSR, .npz, for (1)")
    parser.add_argument("--quick", action="store_true", help="three minutes: (2) small, (4) left out")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--device", metavar="cuda", help="time KION's ranking on a GPU too, beside what it can do at most"
    )
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw a chart (needs matplotlib)")
    parser.add_argument("--json", action="store_true", help="print one object last")
    return parser.parse_args()


def _measure(scale: Scale, given: argparse.Namespace) -> Results:
    threads = given.threads
    _tell("(1) ranking at Gowalla's size")
    work = _gowalla(given.train, threads)
    sides = [by_implicit(threads), *filter(None, [by_torch(threads)]), ours(threads)]
    ranking = take_turns(sides, work, K, scale.rounds)
    _tell(f"(2) {scale.wide.items:,} items: training, building a graph")
    wide = synthetic(scale.wide, factors=64, iterations=4, threads=threads)
    catalogues = [
        measure_wide(
            each, users=scale.wide_users, k=K, rounds=scale.rounds, recall_floor=RECALL_FLOOR, threads=threads
        )
        for each in (wide, evenly_long(wide))
    ]
    del wide
    _tell("(3) writing")
    with tempfile.TemporaryDirectory(prefix="topshelf-writing-") as folder:
        writing = [measure_writing(scale.written, k, Path(folder) / str(k)) for k in (K, K_STORE)]
    return Results(work, ranking, catalogues, writing, _runs(scale, threads), _device(given.device, threads))


def _gowalla(train: Path | None, threads: int) -> Work:
    if train is not None:
        return from_file(train, factors=64, threads=threads)
    return synthetic(GOWALLA, factors=64, iterations=10, threads=threads)


def _runs(scale: Scale, threads: int) -> list[Run]:
    if not scale.sizes:
        return []
    _tell("(4) KION: making it up, training")
    kion = Population.make(KION, factors=KION_FACTORS, iterations=KION_ITERATIONS, threads=threads)
    runs: dict[float, list[Run]] = {size: [] for size in scale.sizes}
    for _ in range(RUN_ROUNDS):
        for size in scale.sizes:
            _tell(f"(4) {size:g} times its users")
            with tempfile.TemporaryDirectory(prefix="topshelf-precompute-") as folder:
                runs[size].append(precompute_run(kion.times(size), processes=threads, folder=Path(folder)))
    return [median_run(of_size) for of_size in runs.values()]


def _device(device: str | None, threads: int) -> "DeviceTime | None":
    if device is None:
        return None
    from benchmarks.precomputing.device import measure_device  # noqa: PLC0415 -- torch is an extra

    _tell(f"ranking KION on {device}")
    work = synthetic(KION, factors=KION_FACTORS, iterations=KION_ITERATIONS, threads=threads)
    return measure_device(work, K, device, threads)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
