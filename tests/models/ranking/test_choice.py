import numpy as np
import pytest

from models.ranking import ExactRanker, Ranking, VectorRanker, Vectors
from models.ranking.choice import EFS, Search, SearchMode, choose_search
from models.ranking.graph import GraphRanker
from tests.models.ranking.drawn import drawn_vectors
from topshelf.errors import RecallTooLow

NEVER_REACHED = 1.1


def chosen(vectors: Vectors, n_users: int = 60, mode: SearchMode = "auto", floor: float = 0.9) -> Search:
    def rank_sample(ranker: VectorRanker) -> Ranking:
        return ranker.rank(vectors, 10)

    return choose_search(
        vectors.items, rank_sample, n_users=n_users, mode=mode, recall_floor=floor, smallest_catalogue=1000
    )


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return drawn_vectors(n_users=60, n_items=4000)


def test_a_small_catalogue_is_searched_exactly() -> None:
    search = chosen(drawn_vectors(n_items=900), n_users=10**12)
    assert isinstance(search.ranker, ExactRanker)
    assert search.recall == 1
    assert "900 items are few" in search.reason


def test_a_graph_that_takes_longer_to_build_than_the_lists_is_not_built(vectors: Vectors) -> None:
    search = chosen(vectors, n_users=60)
    assert isinstance(search.ranker, ExactRanker)
    assert search.index is None
    assert "to build" in search.reason


def test_a_graph_is_searched_where_asked_for_with_the_recall_measured(vectors: Vectors) -> None:
    search = chosen(vectors, mode="approximate")
    assert isinstance(search.ranker, GraphRanker)
    assert search.index is not None
    assert search.ef in EFS
    exact, found = (ranker.rank(vectors, 10).items for ranker in (ExactRanker(), search.ranker))
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert search.recall == pytest.approx(np.mean(shares))
    assert 0.9 <= search.recall <= 1


def test_too_little_recall_is_refused_and_says_what_to_do(vectors: Vectors) -> None:
    with pytest.raises(RecallTooLow, match=r"of the exact lists at ef 512, 1\.1 are wanted; search exactly"):
        chosen(vectors, mode="approximate", floor=NEVER_REACHED)


def test_a_choice_left_to_the_code_falls_back_to_exact_lists(vectors: Vectors) -> None:
    search = chosen(vectors, n_users=10**12, floor=NEVER_REACHED)
    assert isinstance(search.ranker, ExactRanker)
    assert "too little" in search.reason


def test_exact_lists_are_what_is_asked_for(vectors: Vectors) -> None:
    assert isinstance(chosen(vectors, n_users=10**12, mode="exact").ranker, ExactRanker)
