from pathlib import Path

import numpy as np
import pytest
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from knn.neighbours import NeighbourIndex
from models.registry import create_model


def fitted_index(data: TrainingSet, **params: object) -> NeighbourIndex:
    index = create_model("item_knn", params).fit(data).neighbours()
    assert index is not None
    return index


def test_the_withheld_diagonal_of_a_checkerboard_comes_first(checkerboard: csr_matrix) -> None:
    for weighting in ("cosine", "tfidf", "bm25"):
        model = create_model("item_knn", {"weighting": weighting}).fit(TrainingSet.of(checkerboard))
        ranking = model.recommend(np.arange(20), checkerboard, 1)
        assert ranking.items[:, 0].tolist() == list(range(20)), weighting


def test_cosine_is_the_cosine_of_who_touched_what(data: TrainingSet) -> None:
    touched = (data.matrix.toarray() != 0).astype(np.float64)
    norms = np.linalg.norm(touched, axis=0)
    cosine = touched.T @ touched / np.maximum(np.outer(norms, norms), 1e-12)
    np.fill_diagonal(cosine, 0)
    index = fitted_index(data)
    dense = np.zeros((40, 41))
    np.put_along_axis(dense, index.ids.astype(np.int64), index.weights.astype(np.float64), axis=1)
    np.testing.assert_allclose(dense[:, :40], cosine, atol=1e-6)


@pytest.mark.parametrize(
    ("weighting", "reference"),
    [
        ("cosine", CosineRecommender(K=11, num_threads=1)),
        ("tfidf", TFIDFRecommender(K=11, num_threads=1)),
        ("bm25", BM25Recommender(K=11, num_threads=1)),
    ],
)
@pytest.mark.filterwarnings("ignore:Method expects CSR input")
def test_similarities_are_those_of_implicits_recommenders(
    weighting: str, reference: CosineRecommender, data: TrainingSet
) -> None:
    touched = csr_matrix((data.matrix.toarray() != 0).astype(np.float64))
    reference.fit(touched, show_progress=False)
    index = fitted_index(data, weighting=weighting, neighbours=10)
    for item in range(40):
        row = reference.similarity[item]
        similar = {j: w for j, w in zip(row.indices.tolist(), row.data.tolist(), strict=True) if w > 0}
        similar.pop(item, None)
        ids, weights = index.similar(item, 10)
        assert set(ids.tolist()) <= set(similar)
        assert len(ids) == min(10, len(similar))
        assert weights.tolist() == pytest.approx([similar[j] for j in ids.tolist()], rel=1e-6)


def test_heavy_users_asymmetry_and_amplification_are_the_written_formula(data: TrainingSet) -> None:
    touched = (data.matrix.toarray() != 0).astype(np.float64)
    rows = touched / touched.sum(axis=1, keepdims=True) ** 0.5
    lengths = np.linalg.norm(rows, axis=0)
    similarity = rows.T @ rows / np.outer(lengths**1.4, lengths**0.6)
    np.fill_diagonal(similarity, 0)
    index = fitted_index(data, user_exponent=0.5, asymmetry=0.7, amplification=1.3)
    dense = np.zeros((40, 41))
    np.put_along_axis(dense, index.ids.astype(np.int64), index.weights.astype(np.float64), axis=1)
    np.testing.assert_allclose(dense[:, :40], similarity**1.3, rtol=1e-5)


def test_no_item_is_its_own_neighbour(data: TrainingSet) -> None:
    assert not (fitted_index(data).ids == np.arange(40)[:, np.newaxis]).any()


def test_neighbours_come_nearest_first_and_no_more_than_asked_for(data: TrainingSet) -> None:
    index = fitted_index(data, neighbours=7)
    assert index.ids.shape == (40, 7)
    assert (np.diff(index.weights, axis=1) <= 0).all()


def test_offline_lists_are_what_the_stored_index_answers_online(data: TrainingSet, tmp_path: Path) -> None:
    params = {"user_exponent": 0.5, "asymmetry": 0.75, "amplification": 1.3}
    model = create_model("item_knn", params).fit(data)
    index = model.neighbours()
    assert index is not None
    index.save(tmp_path)
    online = NeighbourIndex.open(tmp_path)
    offline = model.recommend(np.arange(60), data.matrix, 10)
    for user in range(60):
        recent = data.matrix[[user]].indices[::-1]
        ids, scores = online.recommend(recent, 10)
        assert offline.items[user, : len(ids)].tolist() == ids.tolist()
        assert offline.scores[user, : len(ids)].tolist() == scores.tolist()
        assert (offline.items[user, len(ids) :] == -1).all()


def test_ratings_do_not_count(data: TrainingSet) -> None:
    ones = TrainingSet.of(csr_matrix((data.matrix.toarray() != 0).astype(np.float32)))
    np.testing.assert_array_equal(fitted_index(data).ids, fitted_index(ones).ids)


def test_only_what_somebody_took_together_is_recommended() -> None:
    matrix = csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]], np.float32))
    ranking = create_model("item_knn").fit(TrainingSet.of(matrix)).recommend(np.arange(3), matrix, 3)
    assert ranking.items.tolist() == [[-1, -1, -1], [1, -1, -1], [-1, -1, -1]]


def test_nothing_is_printed(data: TrainingSet, capfd: pytest.CaptureFixture[str]) -> None:
    create_model("item_knn", threads=2).fit(data)
    assert capfd.readouterr() == ("", "")
