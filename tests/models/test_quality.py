"""The models on MovieLens-100K, the last 20 % of each user's time line held out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix, diags_array

from interactions.dataset import Dataset
from interactions.datasets import Datasets
from interactions.ingest import ingest
from interactions.splits import Split, split_by_user_time
from models.registry import create_model, model_names
from models.training import fit_and_evaluate


@pytest.fixture(scope="module")
def movielens(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    datasets = Datasets(tmp_path_factory.mktemp("datasets"))
    return ingest(datasets, test_data / "ml-100k", preset="movielens-100k").dataset


@pytest.fixture(scope="module")
def split(movielens: Dataset) -> Split:
    return split_by_user_time(movielens)


@pytest.fixture(scope="module")
def floor(split: Split) -> float:
    return fit_and_evaluate(create_model("popular"), split).metrics["NDCG@10"]


QUICKER: dict[str, dict[str, object]] = {"dssm": {"factors": 32, "epochs": 6, "valid_share": 0}}
"""In place of defaults that take minutes; docs/quality.md has what those reach."""


@pytest.mark.parametrize("name", [name for name in model_names() if name != "popular"])
def test_every_model_beats_popular(name: str, split: Split, floor: float) -> None:
    evaluation = fit_and_evaluate(create_model(name, QUICKER.get(name, {})), split)
    assert evaluation.metrics["NDCG@10"] > floor


@pytest.mark.parametrize("name", ["item_knn", "als"])
def test_personal_models_beat_popular_by_half(name: str, split: Split, floor: float) -> None:
    assert fit_and_evaluate(create_model(name), split).metrics["NDCG@10"] > 1.5 * floor


def test_als_lists_are_numpys_own_for_every_user(movielens: Dataset) -> None:
    data = movielens.training_set()
    model = create_model("als").fit(data)
    ranking = model.recommend(np.arange(data.n_users), data.matrix, 10)
    arrays = model.arrays()
    scores = np.asarray(arrays["user_factors"], np.float64) @ np.asarray(arrays["item_factors"], np.float64).T
    rows = np.repeat(np.arange(data.n_users), np.diff(data.matrix.indptr))
    scores[rows, data.matrix.indices] = -np.inf
    np.testing.assert_array_equal(ranking.items, np.argsort(-scores, axis=1, kind="stable")[:, :10])


@pytest.mark.parametrize(("name", "params"), [("lightfm", {}), ("dssm", QUICKER["dssm"])])
def test_avatars_beat_popular_for_users_never_seen(
    name: str, params: dict[str, object], movielens: Dataset
) -> None:
    data = movielens.training_set()
    cold = np.random.default_rng(0).random(data.n_users) < 0.2
    kept, held_out = (
        csr_matrix(diags_array(part.astype(np.float32)) @ data.matrix, dtype=np.float32)
        for part in (~cold, cold)
    )
    for part in (kept, held_out):
        part.eliminate_zeros()
    split = Split("a fifth of the users", replace(data, matrix=kept), held_out, None)
    popular = fit_and_evaluate(create_model("popular"), split).metrics["NDCG@10"]
    evaluation = fit_and_evaluate(create_model(name, params), split)
    assert evaluation.metrics["NDCG@10"] > popular
    assert set(evaluation.groups["activity"]) == {"cold"}
