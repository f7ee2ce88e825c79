"""A catalogue of a million items: a graph beside the exact ranker and the plain blocked product."""

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.precomputing.rankers import Turns, by_numpy, by_ranker, by_torch, take_turns
from benchmarks.precomputing.work import Work
from models.ranking import ExactRanker, ItemVectors, Ranking, VectorRanker, Vectors
from models.ranking.choice import Search, choose_search

PLAIN, EXACT, GRAPH = "plain product", "exact", "graph"
BLOCK_USERS = 64


@dataclass(frozen=True)
class Wide:
    """What was measured over one catalogue; ``choice`` is what the workers would do for all its users."""

    work: Work
    build_seconds: float
    search: Search
    turns: Turns
    choice: str

    @property
    def ann_over_exact(self) -> float:
        """How many times as fast the graph is as the plain blocked product."""
        return self.turns.ratio(PLAIN, GRAPH)


def measure_wide(work: Work, *, users: int, k: int, rounds: int, recall_floor: float, threads: int) -> Wide:
    """Build a graph, find the least effort that reaches the recall, and time a sample of ``users``."""
    n_users = len(work.vectors.users)
    sample = work.of_users(np.unique(np.linspace(0, n_users - 1, users).astype(np.int64)))

    def rank_sample(ranker: VectorRanker) -> Ranking:
        return ranker.rank(sample.vectors, k, seen=sample.seen)

    choice = choose_search(
        work.vectors.items,
        rank_sample,
        n_users=n_users,
        mode="auto",
        recall_floor=recall_floor,
        threads=threads,
    )
    began = time.perf_counter()
    search = (
        choice
        if choice.index is not None
        else choose_search(
            work.vectors.items,
            rank_sample,
            n_users=n_users,
            mode="approximate",
            recall_floor=recall_floor,
            threads=threads,
        )
    )
    build_seconds = time.perf_counter() - began
    sides = [
        by_torch(threads, name=PLAIN, block_users=BLOCK_USERS)
        or by_numpy(threads, name=PLAIN, block_users=BLOCK_USERS),
        by_ranker(EXACT, ExactRanker(threads=threads)),
        by_ranker(GRAPH, search.ranker),
    ]
    return Wide(work, build_seconds, search, take_turns(sides, sample, k, rounds), choice.reason)


def evenly_long(work: Work) -> Work:
    """The same with items of length 1, so that no length tells what can be left out."""
    rows = work.vectors.items.rows
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    items = ItemVectors((rows / lengths).astype(np.float32))
    return Work(f"{work.name}, items of one length", Vectors(work.vectors.users, items), work.seen)
