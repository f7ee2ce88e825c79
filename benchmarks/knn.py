"""The online neighbour index: how long a call takes, and what its lists are worth.

    python -m benchmarks.knn [--train gowalla/train.npz --test gowalla/test.npz] [--quick] [--json]

First the time of a call, in a made-up catalogue of 50,000 items as popular as Zipf says: an index of 100
neighbours an item, as item_knn writes it, is saved, opened by memory map and asked for 20 items, a call at
a time, for sessions of 1 to 50 recent items; beside it the same sums made in an array of the whole catalogue.

Then, where a split is given, Recall@20: both its sides are put together, a tenth of the users is held out of
training entirely, a random half of each one's items is the session and the other half is what should be
found. Item_knn with every similarity there is, the mapped index, and nmslib's HNSW over ALS vectors with the
user's vector folded in, each with the microseconds of a query, fold-in included. One thread a query.
"""

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.knn_peers import ExactItemKnn, FoldIn, Graph, Items, dense_list, top
from interactions.given import read_split_files
from interactions.splits import hold_out_at_random
from interactions.training_set import TrainingSet
from knn.neighbours import NeighbourIndex
from models.als import Als, AlsConfig
from models.item_knn import ItemKnn, ItemKnnConfig
from models.threads import blas_threads

K = 20
N_ITEMS, QUICK_ITEMS = 50_000, 2_000
CALLS, QUICK_CALLS = 20_000, 200
WARM_UP = 100
HELD_OUT_SHARE = 10
ITEM_KNN: dict[str, dict[str, Any]] = {
    "default": {},
    "tuned": {"user_exponent": 0.5, "asymmetry": 0.75, "amplification": 1.3},
}
"""``tuned`` is docs/quality.md's, the number of neighbours aside."""
WIDTHS = (50, 100, 200, 500)
ALS = (
    {"factors": 128, "alpha": 20, "regularization": 60},
    {"factors": 256, "alpha": 20, "regularization": 60},
)
EF = (20, 50, 100, 200, 400)

Lister = Callable[[Items, int], Items]


def main() -> None:
    """Print the time of a call and, with a split, recall and its price."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.knn",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--train", type=Path, metavar="FILE", help="pairs, .npz or text as for benchmarks.quality"
    )
    parser.add_argument("--test", type=Path, metavar="FILE", help="more pairs, of the same form")
    parser.add_argument(
        "--quick", action="store_true", help="a small catalogue and one setting of each, to try"
    )
    parser.add_argument("--json", action="store_true", help="print one object")
    arguments = parser.parse_args()
    if (arguments.train is None) != (arguments.test is None):
        parser.error("give both --train FILE and --test FILE, or neither")
    with blas_threads(1):
        found: dict[str, Any] = {"latency": _latency(quick=arguments.quick)}
        if arguments.train:
            pairs = read_split_files(arguments.train, arguments.test)
            found["quality"] = _quality(csr_matrix(pairs.train.matrix + pairs.test), quick=arguments.quick)
    if arguments.json:
        print(json.dumps(found))
    else:
        _print(found)


def _latency(*, quick: bool) -> dict[str, Any]:
    n_items, calls = (QUICK_ITEMS, QUICK_CALLS) if quick else (N_ITEMS, CALLS)
    numbers = np.random.default_rng(0)
    width = ItemKnnConfig().neighbours
    with tempfile.TemporaryDirectory() as folder:
        _made_up(n_items, width, numbers).save(Path(folder))
        anonymous_kb, began = _anonymous_kb(), time.perf_counter()
        index = NeighbourIndex.open(Path(folder))
        opened_seconds = time.perf_counter() - began
        opened = {
            "open_milliseconds": 1_000 * opened_seconds,
            "open_anonymous_kb": _anonymous_kb() - anonymous_kb,
        }
        ways: dict[str, Lister] = {
            "index": partial(_nearest, index),
            "dense": partial(dense_list, index),
        }
        rows = []
        for shortest, longest, n in ((1, 50, calls), (10, 10, calls), (1_000, 1_000, calls // 20)):
            lengths = numbers.integers(shortest, longest, n, endpoint=True)
            sessions = [_session(length, n_items, numbers) for length in lengths.tolist()]
            for way, lister in ways.items():
                _, microseconds = _asked(lister, sessions)
                shares = {
                    f"p{share:g}": float(np.percentile(microseconds, share)) for share in (50, 99, 99.9)
                }
                rows.append({"way": way, "shortest": shortest, "longest": longest, "calls": n, **shares})
    return {"items": n_items, "neighbours": width, **opened, "microseconds": rows}


def _made_up(n_items: int, width: int, numbers: np.random.Generator) -> NeighbourIndex:
    """Half of the draws fall as popularity does: popular items are many an item's neighbours."""
    ids = np.empty((n_items, width), np.int32)
    for item in range(n_items):
        even = numbers.integers(0, n_items, 2 * width)
        ids[item] = numbers.permutation(
            np.unique(np.concatenate((_popular(2 * width, n_items, numbers), even)))
        )[:width]
    weights = np.sort(1 - numbers.random((n_items, width), np.float32), axis=1)
    return NeighbourIndex(ids, np.ascontiguousarray(weights[:, ::-1]))


def _popular(n: int, n_items: int, numbers: np.random.Generator) -> Items:
    """n items, item i as likely as 1 / (i + 1), roughly."""
    return np.minimum(n_items ** numbers.random(n), n_items - 1).astype(np.int64)


def _session(length: int, n_items: int, numbers: np.random.Generator) -> Items:
    items: dict[int, None] = {}
    while len(items) < length:
        items |= dict.fromkeys(_popular(length, n_items, numbers).tolist())
    return np.array(list(items)[:length])


def _quality(matrix: csr_matrix, *, quick: bool) -> dict[str, Any]:
    held_out = np.zeros(matrix.shape[0], bool)
    held_out[
        np.random.default_rng(0).permutation(len(held_out))[: max(1, len(held_out) // HELD_OUT_SHARE)]
    ] = True
    train = TrainingSet.of(matrix[~held_out])
    given, relevant = hold_out_at_random(matrix[held_out], 0.5, seed=0)
    users = np.flatnonzero((np.diff(given.indptr) > 0) & (np.diff(relevant.indptr) > 0))
    sessions = [given[[user]].indices for user in users]
    wanted = [relevant[[user]].indices for user in users]

    def row(name: str, lister: Lister) -> dict[str, Any]:
        lists, microseconds = _asked(lister, sessions)
        recall = float(np.mean([np.isin(w, found).mean() for w, found in zip(wanted, lists, strict=True)]))
        mean = float(microseconds.mean())
        return {
            "name": name,
            "recall": recall,
            "microseconds": mean,
            "p99_microseconds": float(np.percentile(microseconds, 99)),
            "recall_per_millisecond": 1_000 * recall / mean,
        }

    rows: list[dict[str, Any]] = []
    for setting, params in list(ITEM_KNN.items())[: 1 if quick else None]:
        exact = row(f"item_knn {setting}, exact", ExactItemKnn(train.matrix, ItemKnnConfig(**params)).list)
        rows.append(exact)
        for width in WIDTHS[:1] if quick else WIDTHS:
            with _mapped(train, {**params, "neighbours": width}) as index:
                found = row(f"item_knn {setting}, index of {width}", partial(_nearest, index))
            rows.append({**found, "share_of_exact": found["recall"] / exact["recall"]})
    for params in ALS[:1] if quick else ALS:
        rows += _folded_in(train, params, row, EF[:1] if quick else EF)
    return {"users": len(users), "k": K, "rows": rows}


@contextmanager
def _mapped(train: TrainingSet, params: dict[str, Any]) -> Iterator[NeighbourIndex]:
    """The index item_knn makes of ``train``, saved and opened as a reader opens it."""
    model = ItemKnn(ItemKnnConfig(**params))
    model.fit(train)
    with tempfile.TemporaryDirectory() as folder:
        model.neighbours().save(Path(folder))
        yield NeighbourIndex.open(Path(folder))


def _nearest(index: NeighbourIndex, session: Items, k: int) -> Items:
    return index.recommend(session, k)[0]


def _folded_in(
    train: TrainingSet,
    params: dict[str, Any],
    row: Callable[[str, Lister], dict[str, Any]],
    efs: Sequence[int],
) -> list[dict[str, Any]]:
    model = Als(AlsConfig(**params), threads=os.cpu_count() or 1)
    model.fit(train)
    items = np.asarray(model.arrays()["item_factors"], np.float32)
    fold_in, graph = FoldIn(items, params["regularization"], params["alpha"]), Graph(items)

    def all_products(session: Items, k: int) -> Items:
        return top(items @ fold_in.vector(session), session, k)

    def searched(session: Items, k: int) -> Items:
        return graph.list(fold_in.vector(session), session, k)

    name = f"als of {params['factors']} folded in"
    rows = [row(f"{name}, all products", all_products)]
    for ef in efs:
        graph.look(ef)
        rows.append(row(f"{name}, hnsw ef {ef}", searched))
    return rows


def _asked(lister: Lister, sessions: Sequence[Items]) -> tuple[list[Items], np.ndarray]:
    """A list for each session, one at a time, and the microseconds of each."""
    for session in sessions[:WARM_UP]:
        lister(session, K)
    lists, took = [], np.empty(len(sessions))
    for number, session in enumerate(sessions):
        began = time.perf_counter_ns()
        lists.append(lister(session, K))
        took[number] = time.perf_counter_ns() - began
    return lists, took / 1_000


def _anonymous_kb() -> int:
    """Memory of this process that is in no file, as Linux counts it; 0 elsewhere."""
    status = Path("/proc/self/status")
    return int(re.findall(r"RssAnon:\s+(\d+)", status.read_text())[0]) if status.exists() else 0


def _print(found: dict[str, Any]) -> None:
    latency = found["latency"]
    print(
        f"{latency['items']:,} items with {latency['neighbours']} neighbours, opened in "
        f"{latency['open_milliseconds']:.0f} ms and {latency['open_anonymous_kb']} kB"
    )
    print(f"{'':<8}{'items':>12}{'calls':>9}{'p50':>9}{'p99':>9}{'p99.9':>9}  microseconds")
    for row in latency["microseconds"]:
        length = (
            str(row["longest"])
            if row["shortest"] == row["longest"]
            else f"{row['shortest']} to {row['longest']}"
        )
        print(
            f"{row['way']:<8}{length:>12}{row['calls']:>9,}{row['p50']:>9.1f}{row['p99']:>9.1f}{row['p99.9']:>9.1f}"
        )
    if "quality" not in found:
        return
    print(f"\n{found['quality']['users']:,} users held out, half of their items given")
    print(f"{'':<44}{'Recall@20':>10}{'of exact':>10}{'us/query':>10}{'p99 us':>10}{'Recall/ms':>10}")
    for row in found["quality"]["rows"]:
        share = f"{row['share_of_exact']:.1%}" if "share_of_exact" in row else ""
        print(
            f"{row['name']:<44}{row['recall']:>10.4f}{share:>10}{row['microseconds']:>10.1f}"
            f"{row['p99_microseconds']:>10.1f}{row['recall_per_millisecond']:>10.2f}"
        )


if __name__ == "__main__":
    main()
