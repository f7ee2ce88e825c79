"""LightFM's vectors searched approximately: for catalogues that are too large to be ranked whole."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import Arrays
from models.fit_run import FitRun
from models.lightfm import LightFm
from models.lightfm_config import LightFmAnnConfig, LightFmConfig
from models.linear import touched
from models.ranking import ExactRanker, Vectors
from models.ranking.graph import RECALL_AT, RECALL_FACT, GraphRanker, recall_of
from models.ranking.graph_index import InnerProductIndex
from models.stored import take
from topshelf.errors import CorruptArtifact

RECALL_USERS = 1000


class LightFmAnn(LightFm):
    """The lists of ``lightfm``, found through an index of inner products (HNSW: Y. Malkov, D. Yashunin, TPAMI
    2020) over its item vectors, each with its bias as one more component.

    What is found is ranked by exact scores. The share of the exact lists that is found, over a sample of
    users, is in the artifact's manifest as "ann_recall@10".
    """

    name = "lightfm_ann"
    config_class: ClassVar[type[LightFmConfig]] = LightFmAnnConfig

    config: LightFmAnnConfig
    _index: InnerProductIndex
    _recall: float

    def item_vectors(self) -> None:
        """None: the index is part of the model."""

    def facts(self) -> dict[str, float]:
        """The recall measured."""
        return {RECALL_FACT: self._recall}

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        super()._fit(data, run)
        config = self.config
        self._take(
            GraphRanker.index_of(
                self._factors.items, links=config.links, ef_construction=config.ef_construction
            )
        )
        self._recall = self._measure(touched(data.matrix))

    def _measure(self, matrix: csr_matrix) -> float:
        """Share of the exact lists of up to 1,000 users that the index finds."""
        users = np.flatnonzero(np.diff(matrix.indptr))
        if len(users) > RECALL_USERS:
            numbers = np.random.default_rng(self.seed)
            users = np.sort(numbers.choice(users, RECALL_USERS, replace=False))
        vectors, seen = Vectors(self._factors.users[users], self._factors.items), matrix[users]
        exact = ExactRanker(threads=self.threads).rank(vectors, RECALL_AT, seen=seen)
        return recall_of(self._ranker.rank(vectors, RECALL_AT, seen=seen), exact)

    def _take(self, index: InnerProductIndex) -> None:
        self._index = index
        self._ranker = GraphRanker(index, ef=self.config.ef, threads=self.threads)

    def _arrays(self) -> Arrays:
        recall = np.array([self._recall], np.float64)
        return {**super()._arrays(), "index": self._index.to_array(), "ann_recall": recall}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        super()._restore(arrays, n_users, n_items)
        self._recall = float(take(arrays, "ann_recall", np.float64, (1,))[0])
        content = take(arrays, "index", np.uint8, (None,))
        if not len(content):
            raise CorruptArtifact("array 'index' is empty")
        self._take(InnerProductIndex.from_array(content))
