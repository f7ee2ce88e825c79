"""The base of models that keep a list per segment of users, exactly as the shelves will serve it."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import Arrays, Recommender
from models.fit_run import FitRun
from models.ranking import BLOCK_BYTES, Floats, Ranking, contained, keep_first, rank_scores
from models.segments import SEGMENT_ITEMS, Segments
from models.stored import pack_labels, take, unpack_labels
from topshelf.errors import CorruptArtifact

_BYTES_PER_PLACE = 64


class SegmentRecommender(Recommender):
    """A subclass fills ``_label``, ``_score_segments`` and, with more than one segment, ``_assign``."""

    layout: ClassVar[Literal["users", "segments"]] = "segments"

    _segments: Segments

    def segments(self, k: int) -> Segments:
        """Every segment's first k items (at most 200 are kept)."""
        self._fitted_shape()
        kept = self._segments.ranking
        return Segments(
            self._segments.labels,
            Ranking(kept.items[:, :k].copy(), kept.scores[:, :k].copy()),
            self._segments.segment_of_user,
        )

    def knows_cold(self, users: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Everybody belongs to a segment."""
        return np.ones(len(users), np.bool_)

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        labels = self._label(data)
        n_items = data.matrix.shape[1]
        ranking = rank_scores(
            lambda block: self._score_segments(data, block), len(labels), n_items, SEGMENT_ITEMS
        )
        run.report(0.5, f"{self.name}: lists of {len(labels)} segments made")
        self._segments = Segments(labels, ranking, self._assign(data))

    @abstractmethod
    def _label(self, data: TrainingSet) -> tuple[str, ...]:
        """Names of the segments; the first is "", everybody."""

    @abstractmethod
    def _score_segments(self, data: TrainingSet, block: slice) -> Floats:
        """Scores (n, n_items) of a slice of the segments; freshly allocated."""

    def _assign(self, data: TrainingSet) -> NDArray[np.uint16]:
        """The segment (n_users,) of each user."""
        return np.zeros(data.matrix.shape[0], np.uint16)

    def _rank(
        self,
        users: NDArray[np.integer],
        history: csr_matrix,
        k: int,
        *,
        drop_seen: bool,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        ranking = Ranking.empty(len(users), k)
        rows = max(1, BLOCK_BYTES // (SEGMENT_ITEMS * _BYTES_PER_PLACE))
        for start in range(0, len(users), rows):
            block = slice(start, start + rows)
            served = self._serve(users[block], history[block] if drop_seen else None, k, allowed)
            ranking.items[block], ranking.scores[block] = served.items, served.scores
        return ranking

    def _serve(
        self,
        users: NDArray[np.integer],
        seen: csr_matrix | None,
        k: int,
        allowed: NDArray[np.bool_] | None,
    ) -> Ranking:
        segment = self._segments.segment_of_user[users]
        lists = Ranking(self._segments.ranking.items[segment], self._segments.ranking.scores[segment])
        keep = lists.items >= 0
        if allowed is not None:
            keep &= allowed[lists.items]
        if seen is not None:
            keep &= ~contained(lists.items, seen)
        return keep_first(lists, keep, k)

    def _arrays(self) -> Arrays:
        return {
            "items": self._segments.ranking.items,
            "scores": self._segments.ranking.scores,
            "segment_of_user": self._segments.segment_of_user,
            "labels": pack_labels(self._segments.labels),
        }

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        labels = unpack_labels(take(arrays, "labels", np.uint8, (None,)))
        items = take(arrays, "items", np.int32, (len(labels), SEGMENT_ITEMS))
        scores = take(arrays, "scores", np.float32, (len(labels), SEGMENT_ITEMS))
        segment_of_user = take(arrays, "segment_of_user", np.uint16, (n_users,))
        if items.size and (items.min() < -1 or items.max() >= n_items):
            raise CorruptArtifact("a segment lists an item out of range")
        if n_users and segment_of_user.max() >= len(labels):
            raise CorruptArtifact("a user belongs to a segment that is not there")
        self._segments = Segments(labels, Ranking(items, scores), segment_of_user)
