"""How a generation's lists are searched for: chosen once when it is opened, the same in every process."""

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.base import Recommender
from models.ranking import ExactRanker, Ranking, VectorRanker
from models.ranking.choice import choose_search
from models.ranking.graph import GraphRanker
from models.ranking.graph_index import InnerProductIndex
from topshelf.errors import ArtifactNotFound, InvalidConfig, RecallTooLow
from workers.loading import Shelf
from workers.runtime import Runtime

log = logging.getLogger(__name__)

SAMPLE_USERS = 512
RECALL_AT = 10
OWN_RECALL = f"ann_recall@{RECALL_AT}"
"""The fact in an artifact's manifest that tells of a model with an approximate search of its own."""

ScoreSample = Callable[[Shelf, np.ndarray, int], Ranking]


@dataclass(frozen=True)
class SearchRecord:
    """What a generation's record says of its search: ``ef`` 0 for none, ``recall`` 1 where exact."""

    search: str = "exact"
    ef: int = 0
    recall: float = 1.0


def choose(runtime: Runtime, shelf: Shelf, score: ScoreSample) -> SearchRecord:
    """Choose how to search for the lists of everybody, and keep the index where it is a graph.

    Args:
        score: the lists of some users, as the chunks will make them.

    Raises:
        RecallTooLow: what was asked for, or the model's own search, finds less than is wanted.
    """
    settings, model = runtime.settings, shelf.model
    if OWN_RECALL in shelf.manifest.extra:
        return _own_search(float(shelf.manifest.extra[OWN_RECALL]), settings.recall_floor)
    items = model.item_vectors()
    if items is None:
        return SearchRecord()
    if (ranker := _device_ranker(settings.device, model.threads)) is not None:
        log.info("%s: exact, on %s", model.name, settings.device)
        model.rank_with(ranker)
        return SearchRecord()
    users = np.flatnonzero(np.diff(shelf.matrix.indptr))
    sample = users[
        np.unique(np.linspace(0, max(0, len(users) - 1), SAMPLE_USERS).astype(np.int64))[: len(users)]
    ]

    def rank_sample(way: VectorRanker) -> Ranking:
        model.rank_with(way)
        return score(shelf, sample, RECALL_AT)

    found = choose_search(
        items,
        rank_sample,
        n_users=len(users),
        mode=settings.search,
        recall_floor=settings.recall_floor,
        threads=model.threads,
    )
    log.info("%s: %s", model.name, found.reason)
    model.rank_with(found.ranker)
    if found.index is None:
        return SearchRecord()
    _save(_path(runtime, shelf.manifest.id), found.index)
    return SearchRecord("graph", found.ef, found.recall)


def apply(runtime: Runtime, artifact: str, record: SearchRecord, model: Recommender) -> None:
    """Have the model of an artifact search as a generation's record says.

    Raises:
        ArtifactNotFound: the index is not on this host's disk.
    """
    if model.item_vectors() is None:
        return
    ranker: VectorRanker | None = None
    if record.search == "graph":
        ranker = GraphRanker(_load(_path(runtime, artifact)), ef=record.ef, threads=model.threads)
    model.rank_with(
        ranker or _device_ranker(runtime.settings.device, model.threads) or ExactRanker(threads=model.threads)
    )


def _own_search(recall: float, floor: float) -> SearchRecord:
    if recall < floor:
        raise RecallTooLow(
            f"the model's own index finds {recall:.3f} of the exact lists, {floor:g} are wanted; "
            "train it with a larger ef or more links, or lower TOPSHELF_RECALL_FLOOR"
        )
    return SearchRecord("own index", 0, recall)


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


def _path(runtime: Runtime, artifact: str) -> Path:
    return runtime.settings.data_dir / "indexes" / f"{artifact}.npy"


def _save(path: Path, index: InnerProductIndex) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        np.save(file, index.to_array(), allow_pickle=False)
    written = Path(file.name)
    written.chmod(0o644)
    written.rename(path)


@lru_cache(maxsize=1)
def _load(path: Path) -> InnerProductIndex:
    try:
        content = np.load(path, allow_pickle=False)
    except OSError as error:
        raise ArtifactNotFound(f"the index of a graph cannot be read: {error}; run the job again") from error
    return InnerProductIndex.from_array(content)
