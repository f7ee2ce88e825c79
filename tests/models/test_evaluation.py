import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.splits import Split, split_given
from interactions.training_set import TrainingSet
from models import evaluation
from models.evaluation import evaluate, rank_users
from models.registry import create_model
from topshelf.errors import EmptyData, JobCancelled

TRAIN = csr_matrix(np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]], np.float32))


def held_out(*pairs: tuple[int, int]) -> csr_matrix:
    test = np.zeros((4, 4), np.float32)
    test[tuple(np.array(pairs).T)] = 1
    return csr_matrix(test)


def popular_on(test: csr_matrix) -> dict[str, float]:
    split = split_given(TRAIN, test)
    return evaluate(create_model("popular").fit(split.train), split, k=10).metrics


def test_only_users_with_held_out_items_count() -> None:
    assert popular_on(held_out((0, 1)))["users"] == 1
    assert popular_on(held_out((0, 1)))["NDCG@10"] == 1


def test_a_user_without_a_list_scores_nothing() -> None:
    train = csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], np.float32))
    test = csr_matrix(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], np.float32))
    split = split_given(train, test)
    metrics = evaluate(create_model("item_knn").fit(split.train), split).metrics
    assert metrics["users"] == 2
    assert metrics["HitRate@10"] == 0


def test_seen_items_take_no_place() -> None:
    metrics = popular_on(held_out((2, 3)))
    assert metrics["MRR@10"] == 1


def test_all_the_figures_are_there() -> None:
    assert set(popular_on(held_out((0, 1)))) == {
        "MAP@10",
        "MAP@10 (min)",
        "MRR@10",
        "Precision@10",
        "Recall@10",
        "NDCG@10",
        "HitRate@10",
        "Coverage@10",
        "Novelty@10",
        "Popularity@10",
        "users",
    }


def test_chunks_change_nothing(data: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    model, users = create_model("als").fit(data), np.arange(1, data.n_users, 2)
    whole = rank_users(model, users, data.matrix, 5)
    monkeypatch.setattr(evaluation, "CHUNK_USERS", 7)
    shares: list[float] = []
    chunked = rank_users(model, users, data.matrix, 5, progress=lambda share, _message: shares.append(share))
    np.testing.assert_array_equal(chunked.items, whole.items)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) == 5


def test_a_cancellation_stops_the_evaluation(data: TrainingSet) -> None:
    def cancel(share: float, message: str) -> None:
        raise JobCancelled(message)

    split = split_given(TRAIN, held_out((0, 1)))
    with pytest.raises(JobCancelled):
        evaluate(create_model("popular").fit(split.train), split, progress=cancel)


def test_nothing_held_out_is_an_error() -> None:
    split = Split("empty", TrainingSet.of(TRAIN), csr_matrix(np.zeros((4, 4), np.float32)), None)
    with pytest.raises(EmptyData, match="nothing is held out"):
        evaluate(create_model("popular").fit(split.train), split)


def test_the_parts_of_the_users_make_the_whole(data: TrainingSet) -> None:
    rng = np.random.default_rng(3)
    kept = rng.random(data.matrix.shape) < 0.6
    dense = data.matrix.toarray()
    split = split_given(csr_matrix(dense * kept), csr_matrix(dense * ~kept))
    evaluation = evaluate(create_model("item_knn").fit(split.train), split)
    groups = evaluation.groups["activity"].values()
    users = sum(group["users"] for group in groups)
    assert users == evaluation.metrics["users"]
    for name, (low, high) in evaluation.intervals.items():
        mean = sum(group[name] * group["users"] for group in groups) / users
        assert mean == pytest.approx(evaluation.metrics[name])
        assert low <= mean <= high
    assert "Coverage@10" not in evaluation.intervals


def test_details_are_json(data: TrainingSet) -> None:
    split = split_given(TRAIN, held_out((0, 1), (2, 3)))
    details = evaluate(create_model("popular").fit(split.train), split).details()
    assert json.loads(json.dumps(details)) == details
    assert set(details) == {"intervals", "groups"}
