import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.splits import split_given
from interactions.training_set import TrainingSet
from models.evaluation import evaluate
from models.registry import create_model
from models.training import check_refitted, fit_and_evaluate, floor_metrics, refit, stored_lists
from topshelf.errors import GateRefused, JobCancelled


@pytest.fixture
def halves(data: TrainingSet) -> tuple[csr_matrix, csr_matrix]:
    kept = np.random.default_rng(5).random(data.matrix.shape) < 0.7
    kept[:, 0] = True
    dense = data.matrix.toarray()
    return csr_matrix(dense * kept), csr_matrix(dense * ~kept)


def test_fit_and_evaluate_gives_the_metrics_of_the_split(halves: tuple[csr_matrix, csr_matrix]) -> None:
    split, model = split_given(*halves), create_model("als", seed=2)
    assert fit_and_evaluate(model, split) == evaluate(create_model("als", seed=2).fit(split.train), split)


def test_progress_goes_on_from_training_to_evaluation(halves: tuple[csr_matrix, csr_matrix]) -> None:
    heard: list[tuple[float, str]] = []
    fit_and_evaluate(
        create_model("als"), split_given(*halves), lambda share, message: heard.append((share, message))
    )
    shares = [share for share, _ in heard]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert any("iteration 15 of 15" in message for _, message in heard)
    assert "users ranked" in heard[-1][1]


def test_a_cancellation_comes_through(halves: tuple[csr_matrix, csr_matrix]) -> None:
    def cancel(share: float, message: str) -> None:
        if "iteration 3" in message:
            raise JobCancelled(message)

    with pytest.raises(JobCancelled, match="iteration 3 of 15"):
        fit_and_evaluate(create_model("als"), split_given(*halves), cancel)


def test_the_floor_is_popular(halves: tuple[csr_matrix, csr_matrix]) -> None:
    split = split_given(*halves)
    assert floor_metrics(split) == fit_and_evaluate(create_model("popular"), split).metrics


def test_a_refit_keeps_the_configuration_and_leaves_the_first_model_alone(
    data: TrainingSet, halves: tuple[csr_matrix, csr_matrix]
) -> None:
    first = create_model("als", {"factors": 8}, seed=4).fit(TrainingSet.of(halves[0]))
    before = first.arrays()["item_factors"].copy()
    second = refit(first, data)
    assert (second.config, second.seed, type(second)) == (first.config, 4, type(first))
    np.testing.assert_array_equal(first.arrays()["item_factors"], before)
    fresh = create_model("als", {"factors": 8}, seed=4).fit(data)
    np.testing.assert_array_equal(second.arrays()["item_factors"], fresh.arrays()["item_factors"])


@pytest.mark.parametrize("name", ["popular_in_category", "item_knn", "als"])
def test_a_good_refit_passes_its_check(name: str, data: TrainingSet) -> None:
    model, users = create_model(name).fit(data), np.arange(0, 60, 3)
    live = stored_lists(model, data, users, 10).items
    assert check_refitted(model, data, users, k=10, live=live, min_overlap=1.0) == 1.0


def test_stored_lists_of_segments_keep_what_a_user_has_seen(data: TrainingSet) -> None:
    lists = stored_lists(create_model("popular").fit(data), data, np.array([3, 9]), 10)
    assert lists.items[0].tolist() == lists.items[1].tolist()
    assert set(lists.items[0]) & set(data.matrix[[3]].indices)


def test_a_user_who_has_seen_everything_needs_no_list(data: TrainingSet) -> None:
    lil = data.matrix.tolil()
    lil[0], lil[1] = 1, 0
    extreme = TrainingSet.of(csr_matrix(lil, dtype=np.float32))
    model = create_model("als").fit(extreme)
    assert check_refitted(model, extreme, np.array([0, 1, 2]), k=10) == 1.0


def test_a_model_that_answers_too_few_is_refused() -> None:
    touched = np.eye(10, 12, dtype=np.float32)
    touched[:5, 10], touched[:4, 11] = 1, 1
    lonely = TrainingSet.of(csr_matrix(touched))
    model = create_model("item_knn").fit(lonely)
    with pytest.raises(GateRefused, match="no list for 5 of 10 users"):
        check_refitted(model, lonely, np.arange(10), k=5)
    assert check_refitted(model, lonely, np.arange(6), k=5) == 1.0
