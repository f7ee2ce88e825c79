import math

import numpy as np
import pytest

from models.gate import check_refit, judge
from models.ranking import Ranking
from topshelf.errors import GateRefused


def ndcg(value: float) -> dict[str, float]:
    return {"NDCG@10": value}


@pytest.mark.parametrize(
    ("candidate", "live", "floor", "winner", "accepted", "said"),
    [
        (0.20, None, 0.10, "candidate", True, "nothing is live"),
        (0.20, 0.15, 0.10, "candidate", True, "live 0.1500"),
        (0.20, 0.15, None, "candidate", True, "live 0.1500"),
        (0.10, None, 0.10, "candidate", True, "popular 0.1000"),
        (0.05, None, None, "candidate", True, "nothing is live"),
        (0.05, None, 0.10, "candidate", False, "below popular's 0.1000, and nothing is live"),
        (0.05, 0.20, 0.10, "live", True, "the live configuration is refitted"),
        (0.05, 0.06, 0.10, "live", False, "so is the live configuration's 0.0600"),
        (0.197, 0.20, 0.10, "candidate", True, "live 0.2000"),
        (0.195, 0.20, 0.10, "live", True, "more than 2% below the live"),
        (math.nan, 0.20, 0.10, "live", True, "not a number"),
        (math.nan, None, None, "candidate", False, "not a number"),
    ],
)
def test_the_verdict_and_its_reason(
    candidate: float, live: float | None, floor: float | None, winner: str, accepted: bool, said: str
) -> None:
    verdict = judge(
        ndcg(candidate),
        None if live is None else ndcg(live),
        None if floor is None else ndcg(floor),
        tolerance=0.02,
    )
    assert (verdict.winner, verdict.accepted) == (winner, accepted)
    assert said in verdict.reason


def test_a_candidate_without_the_metric_is_refused() -> None:
    assert not judge({}, None, None, 0.02).accepted


def lists(*rows: list[int]) -> Ranking:
    items = np.array(rows, np.int32)
    return Ranking(items, np.where(items >= 0, 1.0, -np.inf).astype(np.float32))


def test_good_lists_pass() -> None:
    assert check_refit(lists([0, 1], [1, 2]), n_items=3) == 1.0


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_refused(score: float) -> None:
    ranking = lists([0, 1])
    ranking.scores[0, 1] = score
    with pytest.raises(GateRefused, match="NaN or infinite"):
        check_refit(ranking, n_items=3)


def test_no_coverage_is_refused() -> None:
    with pytest.raises(GateRefused, match="recommends nothing"):
        check_refit(lists([-1, -1]), n_items=3, max_empty_share=1.0)


def test_an_item_outside_the_catalogue_is_refused() -> None:
    with pytest.raises(GateRefused, match="outside the catalogue"):
        check_refit(lists([0, 3]), n_items=3)


def test_a_user_without_a_list_is_refused_unless_none_is_expected() -> None:
    ranking = lists([0, 1], [-1, -1])
    with pytest.raises(GateRefused, match="no list for 1 of 2"):
        check_refit(ranking, n_items=3)
    assert check_refit(ranking, n_items=3, expected=np.array([True, False])) == 1.0
    assert check_refit(ranking, n_items=3, max_empty_share=0.5) == 1.0


def test_the_overlap_with_the_live_lists_is_measured_and_checked() -> None:
    new, live = lists([0, 1, 2], [3, 4, 5], [6, 7, 8]), np.array([[2, 9, 0, 1], [5, -1, -1, -1], [-1] * 4])
    assert check_refit(new, n_items=10, live=live) == pytest.approx((2 / 3 + 1) / 2)
    with pytest.raises(GateRefused, match=r"share 83.3% with the live ones, 90.0%"):
        check_refit(new, n_items=10, live=live, min_overlap=0.9)


def test_nothing_live_is_nothing_to_compare_with() -> None:
    assert check_refit(lists([0, 1]), n_items=3, live=np.array([[-1, -1]]), min_overlap=1.0) == 1.0
