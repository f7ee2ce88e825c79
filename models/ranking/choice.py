"""Which way to search a catalogue of vectors: exactly, or through a graph where that pays."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from models.ranking.exact import ExactRanker
from models.ranking.graph import GraphRanker, recall_of
from models.ranking.graph_index import InnerProductIndex
from models.ranking.lists import Ranking
from models.ranking.ranker import VectorRanker
from models.ranking.vectors import ItemVectors
from topshelf.errors import RecallTooLow

SearchMode = Literal["auto", "exact", "approximate"]
RankSample = Callable[[VectorRanker], Ranking]
"""The lists of a sample of users by one way to search."""

SMALLEST_CATALOGUE = 100_000
"""Items below which no graph is thought of: an exact search is as fast (docs/decisions/0012)."""
BUILD_SECONDS_PER_ITEM = 5e-4
"""What one thread takes to place an item of 64 factors in a graph of a million, about."""
LINKS, EF_CONSTRUCTION = 16, 100
EFS = (32, 64, 128, 256, 512)


@dataclass(frozen=True, eq=False)
class Search:
    """How lists are searched for; ``recall`` is that of a sample against the exact lists, 1 where exact."""

    ranker: VectorRanker
    recall: float
    reason: str
    ef: int = 0
    index: InnerProductIndex | None = None


def choose_search(
    items: ItemVectors,
    rank_sample: RankSample,
    *,
    n_users: int,
    mode: SearchMode = "auto",
    recall_floor: float = 0.95,
    threads: int = 1,
    smallest_catalogue: int = SMALLEST_CATALOGUE,
) -> Search:
    """Exact, unless ``mode`` or the estimated time of all users speaks for a graph that finds enough.

    A sample is ranked exactly and timed; a graph is built only where that, for all users, would take longer
    than the graph does to be built. Of the graph's settings the first that reaches ``recall_floor`` counts.

    Raises:
        RecallTooLow: mode is "approximate" and no setting reaches the floor.
    """
    exact_ranker = ExactRanker(threads=threads)
    if mode == "exact":
        return Search(exact_ranker, 1.0, "exact, as asked for")
    n_items = len(items.candidates)
    if mode == "auto" and n_items < smallest_catalogue:
        return Search(exact_ranker, 1.0, f"exact: {n_items:,} items are few")
    # Sorted beforehand: that is done once, not for each block of users.
    _ = items.by_length
    exact, exact_seconds = _timed(rank_sample, exact_ranker)
    sample = max(1, len(exact))
    all_exact = exact_seconds / sample * n_users
    build_seconds = BUILD_SECONDS_PER_ITEM * n_items / threads
    if mode == "auto" and all_exact <= build_seconds:
        return Search(
            exact_ranker,
            1.0,
            f"exact: about {all_exact:,.0f} s for {n_users:,} users, a graph of {n_items:,} items takes "
            f"{build_seconds:,.0f} s to build",
        )
    index = GraphRanker.index_of(items, links=LINKS, ef_construction=EF_CONSTRUCTION, threads=threads)
    recall, ef = 0.0, 0
    for ef in EFS:
        ranker = GraphRanker(index, ef=ef, threads=threads)
        found, seconds = _timed(rank_sample, ranker)
        recall = recall_of(found, exact)
        if recall >= recall_floor:
            faster = exact_seconds / seconds if seconds else math.inf
            if mode == "auto" and faster <= 1:
                break
            reason = (
                f"graph: recall {recall:.3f} of the lists of {sample:,} users at ef {ef}, "
                f"{faster:.1f} times as fast"
            )
            return Search(ranker, recall, reason, ef, index)
    if mode == "approximate":
        raise RecallTooLow(
            f"the graph finds {recall:.3f} of the exact lists at ef {ef}, {recall_floor:g} are wanted; "
            "search exactly (TOPSHELF_SEARCH=exact) or lower TOPSHELF_RECALL_FLOOR"
        )
    reason = f"exact: at ef {ef} a graph finds {recall:.3f} of the lists, too little, or takes as long"
    return Search(exact_ranker, 1.0, reason)


def _timed(rank_sample: RankSample, ranker: VectorRanker) -> tuple[Ranking, float]:
    began = time.perf_counter()
    ranking = rank_sample(ranker)
    return ranking, time.perf_counter() - began
