import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.registry import create_model
from topshelf.errors import CorruptArtifact


def test_the_withheld_diagonal_of_a_checkerboard_comes_first(checkerboard: csr_matrix) -> None:
    for weighting in ("cosine", "tfidf", "bm25"):
        model = create_model("user_knn", {"weighting": weighting}).fit(TrainingSet.of(checkerboard))
        ranking = model.recommend(np.arange(20), checkerboard, 1)
        assert ranking.items[:, 0].tolist() == list(range(20)), weighting


def test_scores_are_the_summed_similarities_of_the_nearest_users(data: TrainingSet) -> None:
    touched = (data.matrix.toarray() != 0).astype(np.float64)
    rows = touched / np.maximum(touched.sum(axis=0), 1) ** 0.5
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, 0)
    for user in range(60):
        similarity[user, np.argsort(-similarity[user], kind="stable")[7:]] = 0
    scores = similarity**2 @ touched
    model = create_model("user_knn", {"neighbours": 7, "item_exponent": 0.5, "amplification": 2})
    ranking = model.fit(data).recommend(np.arange(60), data.matrix, 40, drop_seen=False)
    found = ranking.items >= 0
    expected = np.take_along_axis(scores, np.maximum(ranking.items, 0), axis=1)
    np.testing.assert_allclose(ranking.scores[found], expected[found], rtol=1e-5)
    assert found.sum() == (scores > 0).sum()


def test_no_user_is_their_own_neighbour(data: TrainingSet) -> None:
    ids = np.asarray(create_model("user_knn").fit(data).arrays()["neighbour_ids"])
    assert not (ids == np.arange(60)[:, np.newaxis]).any()


def test_a_user_is_served_from_the_neighbours_found_in_training(data: TrainingSet) -> None:
    model = create_model("user_knn").fit(data)
    usual = model.recommend(np.array([4]), data.matrix[[4]], 5, drop_seen=False)
    later = model.recommend(np.array([4]), data.matrix[[9]], 5, drop_seen=False)
    np.testing.assert_array_equal(usual.items, later.items)


def test_ratings_do_not_count(data: TrainingSet) -> None:
    ones = TrainingSet.of(csr_matrix((data.matrix.toarray() != 0).astype(np.float32)))
    first, second = (create_model("user_knn").fit(on).arrays()["neighbour_weights"] for on in (data, ones))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("name", "value"),
    [("neighbour_ids", 60), ("taken_items", 40), ("neighbour_weights", -1), ("taken_starts", 9)],
)
def test_arrays_that_point_nowhere_are_not_restored(name: str, value: int, data: TrainingSet) -> None:
    model = create_model("user_knn").fit(data)
    arrays = {key: np.array(array) for key, array in model.arrays().items()}
    arrays[name].flat[0] = value
    with pytest.raises(CorruptArtifact):
        type(model).from_arrays(arrays, model.config, n_users=60, n_items=40)


def test_nothing_is_printed(data: TrainingSet, capfd: pytest.CaptureFixture[str]) -> None:
    create_model("user_knn", threads=2).fit(data)
    assert capfd.readouterr() == ("", "")
