"""How a generation's lists are searched for: chosen once when it is opened, the same in every process."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.base import Recommender
from models.ranking import ExactRanker, Ranking, VectorRanker
from models.ranking.choice import choose_search
from models.ranking.graph import RECALL_AT, RECALL_FACT, GraphRanker
from topshelf.errors import InvalidConfig, RecallTooLow
from workers.loading import Shelf
from workers.runtime import Runtime

log = logging.getLogger(__name__)

SAMPLE_USERS = 512

ScoreSample = Callable[[Shelf, NDArray[np.int64], int], Ranking]


@dataclass(frozen=True)
class SearchRecord:
    """What a generation's record says of its search.

    ef, index: 0 and "" where there is no graph; recall: 1 where the search is exact.
    """

    search: str = "exact"
    ef: int = 0
    index: str = ""
    recall: float = 1.0


def choose(runtime: Runtime, shelf: Shelf, score: ScoreSample) -> SearchRecord:
    """Choose how to search for the lists of everybody, and keep the index where it is a graph.

    Args:
        score: the lists of some users, as the chunks will make them.

    Raises:
        RecallTooLow: what was asked for, or the model's own search, finds less than is wanted.
    """
    settings, model = runtime.settings, shelf.model
    if RECALL_FACT in shelf.manifest.extra:
        return _own_search(float(shelf.manifest.extra[RECALL_FACT]), settings.recall_floor)
    items = model.item_vectors()
    if items is None:
        return SearchRecord()
    if settings.search != "approximate" and _device_ranker(settings.device, model.threads) is not None:
        log.info("%s: exact, on %s", model.name, settings.device)
        return SearchRecord()
    users = np.flatnonzero(np.diff(shelf.matrix.indptr))
    places = np.linspace(0, len(users) - 1, min(SAMPLE_USERS, len(users))).astype(np.int64)

    def rank_sample(way: VectorRanker) -> Ranking:
        model.rank_with(way)
        return score(shelf, users[places], RECALL_AT)

    try:
        found = choose_search(
            items,
            rank_sample,
            n_users=len(users),
            mode=settings.search,
            recall_floor=settings.recall_floor,
            threads=model.threads,
        )
    finally:
        model.rank_with(ExactRanker(threads=model.threads))
    log.info("%s: %s", model.name, found.reason)
    if found.index is None:
        return SearchRecord()
    used = {generation.index for generation in runtime.generations.list(model.name)}
    runtime.indexes.drop_unused(model.name, used)
    return SearchRecord("graph", found.ef, runtime.indexes.save(shelf.manifest.id, found.index), found.recall)


def apply(runtime: Runtime, record: SearchRecord, model: Recommender) -> None:
    """Have a model search as a generation's record says.

    Raises:
        ArtifactNotFound: the index is not on this host's disk.
    """
    if model.item_vectors() is None:
        return
    if record.search == "graph":
        model.rank_with(GraphRanker(runtime.indexes.load(record.index), ef=record.ef, threads=model.threads))
        return
    on_device = _device_ranker(runtime.settings.device, model.threads)
    model.rank_with(on_device or ExactRanker(threads=model.threads))


def _own_search(recall: float, floor: float) -> SearchRecord:
    if recall < floor:
        raise RecallTooLow(
            f"the model's own index finds {recall:.3f} of the exact lists, {floor:g} are wanted; "
            "train it with a larger ef or more links, or lower TOPSHELF_RECALL_FLOOR"
        )
    return SearchRecord("own index", recall=recall)


@lru_cache(maxsize=1)
def _device_ranker(device: str, threads: int) -> VectorRanker | None:
    """The ranker of a GPU; None on a CPU, and where torch is missing or sees none."""
    if device == "cpu":
        return None
    try:
        from models.deep.half_ranker import HalfPrecisionRanker  # noqa: PLC0415 -- torch is an extra

        return HalfPrecisionRanker(device, threads=threads)
    except (ModuleNotFoundError, InvalidConfig) as error:
        log.warning("lists are ranked on the CPU: %s", error)
        return None
