"""MovieLens-100K, the last 20 % of each user's time line held out: every model with its defaults.

    TOPSHELF_TEST_DATA=<the folder that holds ml-100k/> python -m benchmarks.quality_ml100k [--validation]

The defaults were chosen with --validation: the last 20 % of what is left of each user's time line once the
held-out part is gone.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from interactions.columns import ITEM_INDEX, USER_INDEX
from interactions.datasets import Datasets
from interactions.ingest import ingest
from interactions.splits import Split, split_by_user_time
from models.registry import create_model, model_names
from models.training import fit_and_evaluate

METRICS = (
    "NDCG@10",
    "MAP@10",
    "MAP@10 (min)",
    "MRR@10",
    "Precision@10",
    "Recall@10",
    "HitRate@10",
    "Coverage@10",
    "Novelty@10",
)


def main() -> int:
    """Print the table; 1 where a model does not beat popular in NDCG@10."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--validation", action="store_true", help="split the training part once more")
    arguments = parser.parse_args()
    data = os.environ.get("TOPSHELF_TEST_DATA")
    if data is None:
        parser.error("TOPSHELF_TEST_DATA is not set to the folder that holds ml-100k/")
    with tempfile.TemporaryDirectory() as folder:
        split = _split(Path(data) / "ml-100k", Path(folder), validation=arguments.validation)
    return _print_table(split)


def _split(source: Path, folder: Path, *, validation: bool) -> Split:
    datasets = Datasets(folder)
    dataset = ingest(datasets, source, preset="movielens-100k").dataset
    split = split_by_user_time(dataset)
    if not validation:
        return split
    rows = dataset.interactions()
    users, items = rows[USER_INDEX].to_numpy(), rows[ITEM_INDEX].to_numpy()
    in_training = np.asarray(split.test[users, items]).ravel() == 0
    training = datasets.create(
        dataset.rows().filter(in_training), items=dataset.item_table(), feedback="explicit"
    )
    return split_by_user_time(training)


def _print_table(split: Split) -> int:
    print(f"{'':<20}" + "".join(f"{name:>13}" for name in METRICS) + f"{'seconds':>9}")
    floor, losers = 0.0, 0
    for name in model_names():
        started = time.perf_counter()
        metrics = fit_and_evaluate(create_model(name), split).metrics
        seconds = time.perf_counter() - started
        print(f"{name:<20}" + "".join(f"{metrics[key]:>13.4f}" for key in METRICS) + f"{seconds:>9.2f}")
        floor = floor or metrics["NDCG@10"]
        losers += metrics["NDCG@10"] < floor
    print(f"{metrics['users']:.0f} users, {split.train.n_items} items, split: {split.name}")
    return int(losers > 0)


if __name__ == "__main__":
    sys.exit(main())
