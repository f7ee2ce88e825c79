"""Full-ranking evaluation: every item but the seen ones is ranked for every held-out user."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.splits import Split
from models.base import Recommender
from models.bootstrap import mean_intervals
from models.fit_run import Progress
from models.metrics import score_users, summarise
from models.ranking import Ranking
from models.user_groups import group_users
from topshelf.errors import EmptyData

CHUNK_USERS = 4096


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a model.

    metrics: "MAP@10", "MAP@10 (min)", "MRR@10", "Precision@10", "Recall@10", "NDCG@10", "HitRate@10",
    "Coverage@10", "Novelty@10", "Popularity@10" (for k = 10) and "users", the number of those measured.
    intervals: low and high end of the 95 % confidence interval of each mean over users.
    groups: the metrics of a part of the users, by what they are grouped by and the group's name.
    """

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    groups: dict[str, dict[str, dict[str, float]]]

    def details(self) -> dict[str, Any]:
        """What is known beside ``metrics``, as JSON values."""
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        return {"intervals": intervals, "groups": self.groups}


def evaluate(model: Recommender, split: Split, k: int = 10, progress: Progress | None = None) -> Evaluation:
    """Measure a model fitted on ``split.train`` over all users that have held-out interactions.

    Raises:
        EmptyData: nothing is held out.
    """
    users = users_held_out(split)
    ranking = rank_users(model, users, split.train.matrix, k, progress=progress)
    return evaluate_ranking(ranking, split, users)


def users_held_out(split: Split) -> NDArray[np.int64]:
    """The users (n,) that have held-out interactions, ascending.

    Raises:
        EmptyData: nothing is held out.
    """
    users = np.flatnonzero(np.diff(split.test.indptr))
    if len(users) == 0:
        raise EmptyData(f"nothing is held out by the split {split.name!r}")
    return users


def evaluate_ranking(ranking: Ranking, split: Split, users: NDArray[np.integer]) -> Evaluation:
    """Measure the lists of ``users`` (n,), all of whom have held-out interactions."""
    train = split.train.matrix
    users_of_item = np.bincount(train.indices, minlength=train.shape[1])
    n_users = int((np.diff(train.indptr) > 0).sum())
    per_user = score_users(ranking, split.test[users], users_of_item, n_users)

    def metrics_of(members: NDArray[np.bool_]) -> dict[str, float]:
        part = {name: values[members] for name, values in per_user.items()}
        return summarise(part, ranking.items[members], train.shape[1])

    ends = mean_intervals(np.array(list(per_user.values())))
    return Evaluation(
        summarise(per_user, ranking.items, train.shape[1]),
        {name: (low, high) for name, (low, high) in zip(per_user, ends.tolist(), strict=True)},
        {
            kind: {name: metrics_of(members) for name, members in groups.items()}
            for kind, groups in group_users(split.train, users).items()
        },
    )


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
