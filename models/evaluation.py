"""Full-ranking evaluation: every item but the seen ones is ranked for every held-out user."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.splits import Split
from models.base import Recommender
from models.fit_run import Progress
from models.metrics import score_ranking
from models.ranking import Ranking
from topshelf.errors import EmptyData

CHUNK_USERS = 4096


def evaluate(
    model: Recommender, split: Split, k: int = 10, progress: Progress | None = None
) -> dict[str, float]:
    """The metrics of a model fitted on ``split.train``, over all users that have held-out interactions.

    Returns:
        "MAP@10", "MAP@10 (min)", "MRR@10", "Precision@10", "Recall@10", "NDCG@10", "HitRate@10",
        "Coverage@10", "Novelty@10" (for k = 10) and "users", their number.

    Raises:
        EmptyData: nothing is held out.
    """
    users = np.flatnonzero(np.diff(split.test.indptr))
    if len(users) == 0:
        raise EmptyData(f"nothing is held out by the split {split.name!r}")
    train = split.train.matrix
    ranking = rank_users(model, users, train, k, progress=progress)
    users_of_item = np.bincount(train.indices, minlength=train.shape[1])
    return score_ranking(ranking, split.test[users], users_of_item, train.shape[0])


def rank_users(
    model: Recommender,
    users: NDArray[np.integer],
    matrix: csr_matrix,
    k: int,
    *,
    progress: Progress | None = None,
) -> Ranking:
    """The lists of ``users`` (n,), in chunks, what they have in ``matrix`` (n_users, n_items) left out."""
    ranking = Ranking.empty(len(users), k)
    for start in range(0, len(users), CHUNK_USERS):
        chunk = slice(start, min(start + CHUNK_USERS, len(users)))
        part = model.recommend(users[chunk], matrix[users[chunk]], k)
        ranking.items[chunk], ranking.scores[chunk] = part.items, part.scores
        if progress is not None:
            progress(chunk.stop / len(users), f"{model.name}: {chunk.stop} of {len(users)} users ranked")
    return ranking
