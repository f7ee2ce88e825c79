"""What is popular, each user's favourite category first."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import ModelConfig
from models.popular import popularity
from models.ranking import BLOCK_BYTES, Floats
from models.segment_recommender import SegmentRecommender
from topshelf.errors import TrainingFailed

_MOST_SEGMENTS = 2**16
_COPIES = 4


class PopularInCategoryConfig(ModelConfig):
    """boost: how many times over an item of the category counts, besides itself, in the category's list;
    by: count the users of an item, or sum the weights they gave it.
    """

    boost: float = Field(0.5, ge=0, le=1e6)
    by: Literal["users", "weight"] = "users"


class PopularInCategory(SegmentRecommender):
    """One list per category, and one for everybody; a user gets the list likeliest to be theirs.

    Popularity as in P. Cremonesi, Y. Koren, R. Turrin, "Performance of recommender algorithms on top-n
    recommendation tasks", RecSys 2010. The list of category c ranks by
    popularity * (1 + boost * [item in c]), so that the best of the rest fill up a small category. Read as
    odds of being taken, these scores give a history a likelihood under each list: the largest decides, and
    a user with no marked taste stays with everybody.
    """

    name = "popular_in_category"
    config_class: ClassVar[type[ModelConfig]] = PopularInCategoryConfig
    is_baseline = True

    config: PopularInCategoryConfig

    def _label(self, data: TrainingSet) -> tuple[str, ...]:
        labels = ("", *data.category_names)
        if len(labels) > _MOST_SEGMENTS:
            raise TrainingFailed(f"{len(labels)} categories are too many, {_MOST_SEGMENTS - 1} are the limit")
        return labels

    def _score_segments(self, data: TrainingSet, block: slice) -> Floats:
        member = np.zeros((block.stop - block.start, data.matrix.shape[1]))
        first = max(block.start, 1)
        member[first - block.start :] = data.categories.T.tocsr()[first - 1 : block.stop - 1].toarray() != 0
        popular = popularity(data.matrix, self.config.by)
        return popular * (1 + self.config.boost * member)

    def _assign(self, data: TrainingSet) -> NDArray[np.uint16]:
        in_category = _ones(data.categories)
        popular = popularity(data.matrix, self.config.by)
        share = (in_category.T @ popular) / max(popular.sum(), 1e-12)
        gain, cost = np.log1p(self.config.boost), np.log1p(self.config.boost * share)
        segment = np.zeros(data.n_users, np.uint16)
        rows = max(1, BLOCK_BYTES // (8 * _COPIES * (1 + len(share))))
        for start in range(0, data.n_users, rows):
            history = _ones(data.matrix[start : start + rows])
            touched = np.diff(history.indptr)[:, np.newaxis]
            likelihood = np.zeros((history.shape[0], 1 + len(share)))
            likelihood[:, 1:] = gain * (history @ in_category).toarray() - cost * touched
            segment[start : start + rows] = likelihood.argmax(axis=1)
        return segment


def _ones(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
