"""How well a model ranks on a given split: Recall@20, NDCG@20, MAP@10, time and memory.

    python -m benchmarks.quality --model edlae --train gowalla/train.npz --test gowalla/test.npz -p dropout=.2
    python -m benchmarks.quality --movielens-100k ml-100k

The first form trains on a published split: two .npz files of scipy, or two text files whose lines hold a
user and the user's items. The second takes MovieLens-100K, the last 20 % of each user's time line held out.
Several --model are measured one after the other, each in a process of its own; without --model, every model
is, with its defaults. With --validation the test part is put aside and a part of train is held out instead:
that is what hyper-parameters are chosen on.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from interactions.datasets import Datasets
from interactions.given import read_split_files
from interactions.ingest import ingest
from interactions.splits import Split, hold_out_at_random, split_by_user_time, split_given
from models.evaluation import evaluate_ranking, rank_users, users_held_out
from models.ranking import Ranking
from models.registry import create_model, model_names
from topshelf.cli.jobs import parse_params
from topshelf.errors import TopshelfError

LONG, SHORT = 20, 10
VALIDATION_SHARE = 0.1
COLUMNS = ("Recall@20", "NDCG@20", "NDCG@10", "MAP@10", "Coverage@10", "Novelty@10")


def main() -> int:
    """Print a row a model; 1 where one could not be trained."""
    arguments = _arguments()
    names = arguments.model or list(model_names())
    params = parse_params(arguments.param)
    failed = False
    if not arguments.json:
        print(
            f"{'':<20}" + "".join(f"{name:>13}" for name in COLUMNS) + f"{'fit s':>9}{'rank s':>9}{'GB':>7}"
        )
    for name in names:
        row = _in_a_process_of_its_own(arguments, name, params)
        failed |= "error" in row
        if arguments.json:
            print(json.dumps(row), flush=True)
        elif "error" in row:
            print(f"{name:<20} {row['error']}", flush=True)
        else:
            figures = "".join(f"{row['metrics'][column]:>13.4f}" for column in COLUMNS)
            print(
                f"{name:<20}{figures}{row['fit_seconds']:>9.1f}{row['rank_seconds']:>9.1f}{row['peak_gb']:>7.2f}",
                flush=True,
            )
    if not arguments.json:
        print(f"on {_hardware(arguments.device)}, {arguments.threads} threads, seed {arguments.seed}")
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", action="append", choices=model_names(), metavar="MODEL", help="may be repeated"
    )
    parser.add_argument("--train", type=Path, metavar="FILE", help="pairs to train on, .npz or text")
    parser.add_argument("--test", type=Path, metavar="FILE", help="pairs to test with, of the same form")
    parser.add_argument(
        "--movielens-100k", type=Path, metavar="FOLDER", help="the data set's own files instead"
    )
    parser.add_argument(
        "--param", "-p", action="append", metavar="NAME=VALUE", help="a hyper-parameter; may be repeated"
    )
    parser.add_argument(
        "--validation", action="store_true", help="put the test part aside, measure on train's"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N, for the models that can")
    parser.add_argument("--json", action="store_true", help="one line of JSON a model")
    arguments = parser.parse_args()
    files = arguments.train is not None and arguments.test is not None
    if files == (arguments.movielens_100k is not None):
        parser.error("give either --train FILE and --test FILE, or --movielens-100k FOLDER")
    return arguments


def _in_a_process_of_its_own(
    arguments: argparse.Namespace, name: str, params: dict[str, Any]
) -> dict[str, Any]:
    """So that the memory measured is one model's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure, arguments, name, params).result()


def _measure(arguments: argparse.Namespace, name: str, params: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"model": name, "params": params, "seed": arguments.seed}
    try:
        split = _split(arguments)
        model = create_model(
            name, params, device=arguments.device, seed=arguments.seed, threads=arguments.threads
        )
        began = time.perf_counter()
        model.fit(split.train, progress=_tell if sys.stderr.isatty() else None)
        fitted = time.perf_counter()
        users = users_held_out(split)
        ranking = rank_users(model, users, split.train.matrix, LONG)
        ranked = time.perf_counter()
    except TopshelfError as error:
        return {**row, "error": str(error)}
    short = Ranking(ranking.items[:, :SHORT], ranking.scores[:, :SHORT])
    long, top = (evaluate_ranking(lists, split, users) for lists in (ranking, short))
    return {
        **row,
        "params": model.refit_config().model_dump(mode="json", include=set(params) | {"epochs"}),
        "split": split.name,
        "hardware": _hardware(model.device),
        "threads": arguments.threads,
        "metrics": {**long.metrics, **top.metrics},
        "intervals": {**long.intervals, **top.intervals},
        "facts": model.facts(),
        "fit_seconds": fitted - began,
        "rank_seconds": ranked - fitted,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def _split(arguments: argparse.Namespace) -> Split:
    if arguments.movielens_100k is not None:
        with tempfile.TemporaryDirectory() as folder:
            dataset = ingest(
                Datasets(Path(folder)), arguments.movielens_100k, preset="movielens-100k"
            ).dataset
            return split_by_user_time(dataset, validation=arguments.validation)
    split = read_split_files(arguments.train, arguments.test, name=arguments.train.parent.name)
    if not arguments.validation:
        return split
    kept, held_out = hold_out_at_random(split.train.matrix, VALIDATION_SHARE, arguments.seed)
    return split_given(kept, held_out, name=f"{split.name}, a tenth of train")


def _tell(share: float, message: str) -> None:
    sys.stderr.write(f"\r\x1b[K{share:4.0%} {message}" if share < 1 else "\r\x1b[K")
    sys.stderr.flush()


def _hardware(device: str) -> str:
    if device.startswith("cuda"):
        import torch  # noqa: PLC0415 -- not every model needs it

        return torch.cuda.get_device_name(torch.device(device))
    return f"{os.cpu_count()} cores of {platform.machine()}"


if __name__ == "__main__":
    sys.exit(main())
