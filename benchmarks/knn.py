"""The online kNN: how long a list takes, and how good it is beside an HNSW query on a folded-in vector.

    python -m benchmarks.knn [--items 50000] [--train gowalla/train.npz] [--json]

First, a catalogue of ``--items`` with 100 neighbours an item, written to disk and opened by memory map;
sessions of 1 to 50 recent items are scored one call at a time, by the index and, in turn, by a dense
vector over the whole catalogue, which is what the index did once. Then, with ``--train``, a published
split: a tenth of its users is held out whole, half of each one's items is their session, the other half
is to be found. Lists come from the similarities of item_knn without a limit (exact), from the index at
several numbers of neighbours, and from nmslib's HNSW over als vectors, the session folded in by one
least-squares solution. One thread, one query at a time.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, load_npz

from interactions.training_set import TrainingSet
from knn.neighbours import NeighbourIndex
from models.als import Als
from models.inner_product_index import InnerProductIndex
from models.item_knn import ItemKnn
from models.registry import create_model
from models.threads import blas_threads

NEIGHBOURS = 100
SESSIONS, LONGEST_SESSION = 2_000, 50
K = 20
HELD_OUT_SHARE = 0.1
WIDTHS = (50, 100, 200)
EFS = (50, 100, 200, 400)
FACTORS, ALPHA, REGULARIZATION = 64, 20.0, 30.0
RUNS = 3

Session = NDArray[np.int64]


@dataclass(frozen=True)
class Way:
    """One way to a list, measured on held-out users."""

    name: str
    recall: float
    microseconds: float

    @property
    def recall_per_microsecond(self) -> float:
        """What a microsecond buys."""
        return self.recall / self.microseconds


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.knn",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--train", type=Path, help="pairs of a published split, as scipy saves them (.npz)")
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    found: dict[str, Any] = latencies(arguments.items)
    print(f"{arguments.items:,} items, {NEIGHBOURS} neighbours, sessions of 1 to {LONGEST_SESSION} items, µs")
    print(f"{'':<22}{'p50':>8}{'p99':>8}{'p99.9':>8}")
    for name in ("mapped index", "dense vector"):
        print(f"{name:<22}" + "".join(f"{value:>8.0f}" for value in found[name]))
    print(f"opening the index: {found['open_ms']:.1f} ms, {found['open_anonymous_mb']:.1f} MB")
    if arguments.train:
        ways = compare(csr_matrix(load_npz(arguments.train), dtype=np.float32))
        print(f"\n{'':<32}{'Recall@20':>11}{'µs a list':>11}{'recall/ms':>11}")
        for way in ways:
            rate = 1000 * way.recall_per_microsecond
            print(f"{way.name:<32}{way.recall:>11.4f}{way.microseconds:>11.0f}{rate:>11.2f}")
        found["ways"] = [{**vars(way), "recall_per_microsecond": way.recall_per_microsecond} for way in ways]
    if arguments.json:
        print(json.dumps(found))


def latencies(n_items: int) -> dict[str, Any]:
    """p50, p99 and p99.9 in microseconds of the mapped index and of a dense vector."""
    numbers = np.random.default_rng(0)
    chance = 1 / np.arange(1, n_items + 1)
    chance /= chance.sum()
    ids = numbers.choice(n_items, (n_items, NEIGHBOURS), p=chance).astype(np.int32)
    weights = -np.sort(-numbers.random((n_items, NEIGHBOURS), np.float32), axis=1)
    sessions = [
        np.unique(numbers.choice(n_items, length, p=chance))
        for length in numbers.integers(1, LONGEST_SESSION + 1, SESSIONS)
    ]
    with tempfile.TemporaryDirectory() as folder:
        NeighbourIndex(ids, weights).save(Path(folder))
        before, began = _anonymous_mb(), time.perf_counter()
        index = NeighbourIndex.open(Path(folder))
        opened_ms, opened_mb = (time.perf_counter() - began) * 1000, _anonymous_mb() - before
        ways: dict[str, Callable[[Session], object]] = {
            "mapped index": lambda session: index.recommend(session, K),
            "dense vector": lambda session: _dense(index, session),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(RUNS):
            for name, way in ways.items():
                taken[name] += [_microseconds(way, session) for session in sessions]
    return {
        **{name: np.percentile(values, (50, 99, 99.9)).tolist() for name, values in taken.items()},
        "items": n_items,
        "open_ms": opened_ms,
        "open_anonymous_mb": opened_mb,
    }


def compare(matrix: csr_matrix) -> list[Way]:
    """Every way's Recall@20 on users held out whole, and microseconds a list."""
    numbers = np.random.default_rng(0)
    held_out = numbers.permutation(matrix.shape[0])[: int(matrix.shape[0] * HELD_OUT_SHARE)]
    trained = np.setdiff1d(np.arange(matrix.shape[0]), held_out)
    sessions, wanted = [], []
    for user in held_out.tolist():
        items = numbers.permutation(matrix[[user]].indices)
        if len(items) > 1:
            sessions.append(np.sort(items[: len(items) // 2]).astype(np.int64))
            wanted.append(set(items[len(items) // 2 :].tolist()))
    data = TrainingSet.of(matrix[trained])
    found: dict[str, Callable[[Session], NDArray[Any]]] = {"item_knn, exact": _exact(data)}
    for width in WIDTHS:
        model = create_model("item_knn", {"neighbours": width}, threads=2).fit(data)
        assert isinstance(model, ItemKnn)
        found[f"index, {width} neighbours"] = partial(_listed, model.neighbours())
    params = {"factors": FACTORS, "alpha": ALPHA, "regularization": REGULARIZATION}
    als = create_model("als", params, threads=2).fit(data)
    assert isinstance(als, Als)
    vectors = als._vectors().items
    folded = _folding(vectors)
    graph = InnerProductIndex.build(np.arange(len(vectors)), vectors, links=16, ef_construction=200)
    found["als, folded in, all items"] = lambda session: _nearest(vectors @ folded(session), session)
    for ef in EFS:
        found[f"als, folded in, HNSW ef {ef}"] = partial(_searched, graph, folded, ef)
    with blas_threads(1):
        return [_measured(name, way, sessions, wanted) for name, way in found.items()]


def _listed(index: NeighbourIndex, session: Session) -> NDArray[np.int32]:
    return index.recommend(session, K)[0]


def _measured(
    name: str, way: Callable[[Session], NDArray[Any]], sessions: Sequence[Session], wanted: Sequence[set[int]]
) -> Way:
    lists = [way(session).tolist()[:K] for session in sessions]
    recall = [len(held & set(items)) / len(held) for held, items in zip(wanted, lists, strict=True)]
    some = sessions[:: max(1, len(sessions) // 500)]
    runs = [statistics.median(_microseconds(way, session) for session in some) for _ in range(RUNS)]
    return Way(name, float(np.mean(recall)), statistics.median(runs))


def _exact(data: TrainingSet) -> Callable[[Session], NDArray[Any]]:
    """Cosines with every item, none left out."""
    items = csr_matrix(data.matrix.T, dtype=np.float64)
    items.data[:] = 1
    lengths = np.sqrt(np.maximum(np.diff(items.indptr), 1))
    rows = csr_matrix(diags_array(1 / lengths) @ items)
    return lambda session: _nearest(rows @ np.asarray(rows[session].sum(axis=0)).ravel(), session)


def _folding(vectors: NDArray[np.float32]) -> Callable[[Session], NDArray[np.float32]]:
    """The vector of a user with these items: Y. Hu, Y. Koren, C. Volinsky, ICDM 2008, equation 4."""
    gram = vectors.T @ vectors + REGULARIZATION * np.eye(vectors.shape[1], dtype=np.float32)

    def folded(session: Session) -> NDArray[np.float32]:
        touched = vectors[session]
        left = gram + (ALPHA - 1) * (touched.T @ touched)
        return np.linalg.solve(left, ALPHA * touched.sum(axis=0)).astype(np.float32)

    return folded


def _searched(
    graph: InnerProductIndex,
    folded: Callable[[Session], NDArray[np.float32]],
    ef: int,
    session: Session,
) -> NDArray[np.int32]:
    found = graph.search(folded(session)[np.newaxis], K + len(session), ef=ef, threads=1)[0]
    kept: NDArray[np.int32] = found[~np.isin(found, session)][:K]
    return kept


def _nearest(scores: NDArray[Any], session: Session) -> NDArray[np.int64]:
    scores[session] = -np.inf
    top = np.argpartition(-scores, K)[:K]
    return top[np.argsort(-scores[top], kind="stable")]


def _dense(index: NeighbourIndex, session: Session) -> NDArray[np.int64]:
    near = np.maximum(index.ids[session], 0).ravel()
    scores = np.bincount(near, index.weights[session].astype(np.float64).ravel(), minlength=index.n_items)
    scores[session] = 0
    candidates = np.flatnonzero(scores)
    return candidates[np.argsort(-scores[candidates], kind="stable")][:K]


def _microseconds(way: Callable[[Session], object], session: Session) -> float:
    began = time.perf_counter()
    way(session)
    return (time.perf_counter() - began) * 1e6


def _anonymous_mb() -> float:
    """Anonymous memory of this process, where the system tells."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon")), float("nan"))


if __name__ == "__main__":
    main()
