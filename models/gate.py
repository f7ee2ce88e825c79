"""The gate: which configuration is refitted, and whether the refitted model may be published."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.ranking import Ranking
from topshelf.errors import GateRefused

METRIC = "NDCG@10"

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """Which configuration won, whether it is good enough to be published, and why, in a sentence."""

    winner: Literal["candidate", "live"]
    accepted: bool
    reason: str


def judge(candidate: Metrics, live: Metrics | None, floor: Metrics | None, tolerance: float) -> Verdict:
    """Compare NDCG@10 of candidate, live configuration and floor, all measured on one split.

    The candidate wins unless it loses more than ``tolerance`` (a share) of the live figure; whatever wins
    must not be below the floor.

    Args:
        live: None where the model has no live generation.
        floor: metrics of ``popular``; None for models the floor does not apply to.
    """
    score = candidate.get(METRIC, math.nan)
    if not math.isfinite(score):
        return _fall_back(f"the candidate's {METRIC} is not a number", live, floor)
    if floor is not None and score < floor[METRIC]:
        return _fall_back(
            f"the candidate's {METRIC} {score:.4f} is below popular's {floor[METRIC]:.4f}", live, floor
        )
    if live is not None and score < live[METRIC] * (1 - tolerance):
        return _fall_back(
            f"the candidate's {METRIC} {score:.4f} is more than {tolerance:.0%} below the live "
            f"configuration's {live[METRIC]:.4f}",
            live,
            floor,
        )
    beaten = [] if floor is None else [f"popular {floor[METRIC]:.4f}"]
    beaten += ["nothing is live"] if live is None else [f"live {live[METRIC]:.4f}"]
    return Verdict("candidate", True, f"the candidate's {METRIC} is {score:.4f} ({', '.join(beaten)})")


def check_refit(
    ranking: Ranking,
    *,
    n_items: int,
    expected: NDArray[np.bool_] | None = None,
    max_empty_share: float = 0.0,
    live: NDArray[np.integer] | None = None,
    min_overlap: float = 0.0,
) -> float:
    """Check lists of a refitted model before they are published.

    Args:
        ranking: (n, k), a sample of users, or the lists of all segments.
        n_items: size of the catalogue.
        expected: (n,) which users should have a list; all by default.
        max_empty_share: share of those that may be left without one.
        live: (n, m) the same users' live lists, -1 padded; a row without items is not compared.
        min_overlap: smallest mean share of a live list's first k items that the new list keeps.

    Returns:
        that mean overlap; 1.0 where there is nothing to compare with.

    Raises:
        GateRefused: saying which check failed.
    """
    listed = ranking.items >= 0
    if not np.isfinite(ranking.scores[listed]).all():
        raise GateRefused("a score of the refitted model is NaN or infinite")
    if not listed.any() or ranking.items.max() >= n_items:
        raise GateRefused("the refitted model recommends nothing, or items outside the catalogue")
    should = np.ones(len(ranking), np.bool_) if expected is None else expected
    empty = int((should & ~listed.any(axis=1)).sum())
    if empty > max_empty_share * should.sum():
        raise GateRefused(f"the refitted model has no list for {empty} of {should.sum()} users looked at")
    overlap = 1.0 if live is None else _mean_overlap(ranking.items, live)
    if overlap < min_overlap:
        raise GateRefused(
            f"the new lists share {overlap:.1%} with the live ones, {min_overlap:.1%} are wanted"
        )
    return overlap


def _fall_back(why: str, live: Metrics | None, floor: Metrics | None) -> Verdict:
    if live is None:
        return Verdict("candidate", False, f"{why}, and nothing is live")
    if floor is not None and live[METRIC] < floor[METRIC]:
        return Verdict("live", False, f"{why}, and so is the live configuration's {live[METRIC]:.4f}")
    return Verdict("live", True, f"{why}; the live configuration is refitted")


def _mean_overlap(new: NDArray[np.int32], live: NDArray[np.integer]) -> float:
    live = live[:, : new.shape[1]]
    listed = live >= 0
    compared = listed.any(axis=1)
    if not compared.any():
        return 1.0
    kept = ((live[:, :, np.newaxis] == new[:, np.newaxis, :]).any(axis=2) & listed).sum(axis=1)
    return float((kept[compared] / listed[compared].sum(axis=1)).mean())
