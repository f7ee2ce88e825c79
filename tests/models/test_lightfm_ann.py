from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.artifacts import Artifacts
from models.lightfm_ann import LightFmAnn
from models.ranking.graph_index import InnerProductIndex
from models.registry import create_model
from topshelf.errors import CorruptArtifact


@pytest.fixture(scope="module")
def wide() -> TrainingSet:
    """400 users of 3,000 items, the first of whom has touched 1,500."""
    numbers = np.random.default_rng(0)
    touched = numbers.random((400, 3000)) < 0.3 / np.sqrt(1 + np.arange(3000))
    touched[0, :1500] = True
    return TrainingSet.of(csr_matrix(touched.astype(np.float32)))


@pytest.fixture(scope="module")
def model(wide: TrainingSet) -> LightFmAnn:
    fitted = create_model("lightfm_ann", {"factors": 16, "epochs": 5}, threads=2).fit(wide)
    assert isinstance(fitted, LightFmAnn)
    return fitted


def test_the_recall_stored_is_that_of_the_exact_lists(
    model: LightFmAnn, wide: TrainingSet, tmp_path: Path
) -> None:
    exact = create_model("lightfm", {"factors": 16, "epochs": 5}).fit(wide)
    users = np.flatnonzero(np.diff(wide.matrix.indptr))
    wanted, found = (each.recommend(users, wide.matrix[users], 10).items for each in (exact, model))
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(wanted, found, strict=True)])
    artifacts = Artifacts(tmp_path)
    saved = artifacts.save(model, dataset_version="v", metrics={}, split="s", code_version="1")
    assert saved.extra["ann_recall@10"] == pytest.approx(recall)
    assert recall > 0.9
    loaded, _ = artifacts.load(saved.id)
    np.testing.assert_array_equal(loaded.recommend(users, wide.matrix[users], 10).items, found)
    assert loaded.facts() == model.facts()


def test_what_is_found_has_its_exact_score(model: LightFmAnn, wide: TrainingSet) -> None:
    ranking = model.recommend(np.arange(400), wide.matrix, 10)
    arrays = {name: np.asarray(array, np.float64) for name, array in model.arrays().items() if "item" in name}
    users = np.asarray(model.arrays()["user_factors"], np.float64)
    scores = users @ arrays["item_factors"].T + arrays["item_biases"]
    expected = np.take_along_axis(scores, np.maximum(ranking.items, 0), axis=1)
    np.testing.assert_allclose(ranking.scores, expected, rtol=1e-5)


def test_a_long_history_leaves_a_full_list(model: LightFmAnn, wide: TrainingSet) -> None:
    ranking = model.recommend(np.array([0]), wide.matrix[[0]], 20)
    assert (ranking.items >= 1500).all()


def test_the_same_vectors_give_the_same_graph() -> None:
    vectors = np.random.default_rng(0).normal(size=(5000, 8)).astype(np.float32)
    one, two = (
        InnerProductIndex.build(np.arange(5000), vectors, links=4, ef_construction=10).search(
            vectors, 10, ef=10, threads=1
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)


def test_an_empty_index_is_not_restored(model: LightFmAnn) -> None:
    arrays = {**model.arrays(), "index": np.zeros(0, np.uint8)}
    with pytest.raises(CorruptArtifact, match="'index' is empty"):
        LightFmAnn.from_arrays(arrays, model.config, n_users=400, n_items=3000)
