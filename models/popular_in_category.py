"""What is popular, each user's favourite category first."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import ModelConfig
from models.popular import popularity
from models.ranking import Floats
from models.segment_recommender import SegmentRecommender
from topshelf.errors import TrainingFailed

_MOST_SEGMENTS = 2**16


class PopularInCategoryConfig(ModelConfig):
    """boost: how many times over an item of the category counts, besides itself, in the category's list;
    lift: how much a category counts for being rarer elsewhere, 0 for its plain share of the history;
    min_items: interactions below which a user belongs to everybody's segment;
    by: count the users of an item, or sum the weights they gave it.
    """

    boost: float = Field(1.0, ge=0)
    lift: float = Field(1.0, ge=0, le=2)
    min_items: int = Field(1, ge=1)
    by: Literal["users", "weight"] = "users"


class PopularInCategory(SegmentRecommender):
    """One list per category, and one for everybody, of which a user gets that of the category most theirs.

    Popularity as in P. Cremonesi, Y. Koren, R. Turrin, RecSys 2010; a list of category c ranks by
    popularity · (1 + boost · [item in c]), so that the best of the rest fill up a small category.
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
        n_users, n_categories = data.matrix.shape[0], data.categories.shape[1]
        if n_categories == 0:
            return np.zeros(n_users, np.uint16)
        taken = _memberships(data.matrix) @ _memberships(data.categories)
        overall = np.asarray(taken.sum(axis=0)).ravel()
        rarity = (overall.sum() / np.maximum(overall, 1)) ** self.config.lift
        return _favourite(
            taken.multiply(rarity).tocsr(), np.diff(data.matrix.indptr) >= self.config.min_items
        )


def _memberships(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)


def _favourite(affinity: csr_matrix, assigned: NDArray[np.bool_]) -> NDArray[np.uint16]:
    segment = np.zeros(affinity.shape[0], np.uint16)
    rows = np.repeat(np.arange(affinity.shape[0]), np.diff(affinity.indptr))
    order = np.lexsort((affinity.indices, -affinity.data, rows))
    first = order[np.flatnonzero(np.diff(rows, prepend=-1))]
    segment[rows[first]] = affinity.indices[first] + 1
    segment[~assigned] = 0
    return segment
