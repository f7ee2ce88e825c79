"""What a training job does, as functions of data: fit and evaluate on a split, then refit on everything."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interactions.splits import Split
from interactions.training_set import TrainingSet
from models.base import Recommender
from models.evaluation import Evaluation, evaluate, rank_users
from models.fit_run import OnEpoch, Progress
from models.gate import check_refit
from models.ranking import Ranking
from models.registry import create_model

FLOOR = "popular"

_FIT_SHARE = 0.8


def fit_and_evaluate(
    model: Recommender,
    split: Split,
    progress: Progress | None = None,
    *,
    k: int = 10,
    on_epoch: OnEpoch | None = None,
    on_fitted: Callable[[float], None] | None = None,
    checkpoints: Path | None = None,
) -> Evaluation:
    """Fit ``model`` on the split's training part and measure it on the held-out part.

    Args:
        on_epoch, checkpoints: as of ``Recommender.fit``.
        on_fitted: told the seconds the fit took, before anything is measured.

    Raises:
        EmptyData, TrainingFailed, JobCancelled: from training, or from ``progress``.
    """
    started = time.monotonic()
    model.fit(
        split.train, progress=_part(progress, 0.0, _FIT_SHARE), on_epoch=on_epoch, checkpoints=checkpoints
    )
    if on_fitted is not None:
        on_fitted(time.monotonic() - started)
    return evaluate(model, split, k, progress=_part(progress, _FIT_SHARE, 1.0))


def floor_metrics(split: Split, *, k: int = 10, threads: int = 1) -> dict[str, float]:
    """The metrics of ``popular``, below which no other model is published."""
    return fit_and_evaluate(create_model(FLOOR, threads=threads), split, k=k).metrics


def refit(
    model: Recommender,
    data: TrainingSet,
    progress: Progress | None = None,
    *,
    checkpoints: Path | None = None,
) -> Recommender:
    """A new model of the same configuration, seed, device and threads, fitted on all of ``data``.

    A model that was fitted gives the configuration to refit with; one that was not has it already.
    """
    config = model.refit_config() if model.fitted else model.config
    fresh = type(model)(config, device=model.device, seed=model.seed, threads=model.threads)
    return fresh.fit(data, progress=progress, checkpoints=checkpoints)


def check_refitted(
    model: Recommender,
    data: TrainingSet,
    users: NDArray[np.integer],
    *,
    k: int,
    live: NDArray[np.integer] | None = None,
    min_overlap: float = 0.0,
) -> float:
    """Run the gate's checks on the stored lists of a sample of users; returns the overlap with the live ones.

    Args:
        users: (n,) dense indices.
        live: (n, m) what is stored for them now, -1 padded, or None.

    Raises:
        GateRefused: a check failed.
    """
    return check_refit(
        stored_lists(model, data, users, k),
        n_items=model.n_items,
        expected=_expect_lists(model, data, users),
        max_empty_share=model.max_empty_share,
        live=live,
        min_overlap=min_overlap,
    )


def stored_lists(model: Recommender, data: TrainingSet, users: NDArray[np.integer], k: int) -> Ranking:
    """What the shelves will hold for ``users``: each one's own list, or the whole list of the segment."""
    if model.layout == "users":
        return rank_users(model, users, data.matrix, k)
    segments = model.segments(k)
    of_user = segments.segment_of_user[users]
    return Ranking(segments.ranking.items[of_user], segments.ranking.scores[of_user])


def _expect_lists(model: Recommender, data: TrainingSet, users: NDArray[np.integer]) -> NDArray[np.bool_]:
    if model.layout == "segments":
        return np.ones(len(users), np.bool_)
    touched = np.diff(data.matrix.indptr)[users]
    expected: NDArray[np.bool_] = (touched < model.n_items) & ((touched > 0) | model.knows_cold(users))
    return expected


def _part(progress: Progress | None, begin: float, end: float) -> Progress | None:
    if progress is None:
        return None
    report = progress
    return lambda share, message: report(begin + share * (end - begin), message)
