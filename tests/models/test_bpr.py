import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.fit_run import Epoch
from models.registry import create_model
from topshelf.errors import CorruptArtifact, TrainingFailed


def test_the_withheld_diagonal_of_a_checkerboard_comes_first(checkerboard: csr_matrix) -> None:
    params = {"factors": 8, "learning_rate": 0.1, "iterations": 300}
    model = create_model("bpr", params).fit(TrainingSet.of(checkerboard))
    ranking = model.recommend(np.arange(20), checkerboard, 1)
    assert ranking.items[:, 0].tolist() == list(range(20))


def test_scores_are_products_and_the_items_bias(data: TrainingSet) -> None:
    model = create_model("bpr").fit(data)
    arrays = {name: np.asarray(array, np.float64) for name, array in model.arrays().items()}
    scores = arrays["user_factors"] @ arrays["item_factors"].T + arrays["item_biases"]
    scores[data.matrix.toarray() != 0] = -np.inf
    ranking = model.recommend(np.arange(60), data.matrix, 5)
    np.testing.assert_array_equal(ranking.items, np.argsort(-scores, axis=1, kind="stable")[:, :5])


def test_an_item_nobody_touched_is_no_candidate(data: TrainingSet) -> None:
    touched = data.matrix.tolil()
    touched[:, 39] = 0
    quiet = TrainingSet.of(csr_matrix(touched, dtype=np.float32))
    ranking = create_model("bpr").fit(quiet).recommend(np.arange(60), quiet.matrix, 40)
    assert not (ranking.items == 39).any()


def test_another_seed_gives_other_factors(data: TrainingSet) -> None:
    one, two = (create_model("bpr", seed=seed).fit(data).arrays()["item_factors"] for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_every_iteration_is_reported(data: TrainingSet) -> None:
    heard: list[str] = []
    epochs: list[Epoch] = []
    create_model("bpr", {"iterations": 3}).fit(
        data, progress=lambda _share, message: heard.append(message), on_epoch=epochs.append
    )
    assert heard[1:4] == [f"bpr: iteration {n} of 3" for n in (1, 2, 3)]
    assert [epoch.number for epoch in epochs] == [1, 2, 3]


def test_divergence_names_the_iteration(data: TrainingSet) -> None:
    model = create_model("bpr", {"learning_rate": 1e30})
    with pytest.raises(TrainingFailed, match=r"bpr diverged at iteration \d+: a factor is NaN or infinite"):
        model.fit(data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["item_biases", "item_factors", "user_factors"])
def test_arrays_that_are_no_numbers_are_not_restored(name: str, value: float, data: TrainingSet) -> None:
    model = create_model("bpr").fit(data)
    arrays = {key: np.array(array) for key, array in model.arrays().items()}
    arrays[name].flat[3] = value
    with pytest.raises(CorruptArtifact, match=name):
        type(model).from_arrays(arrays, model.config, n_users=60, n_items=40)


def test_nothing_is_printed(data: TrainingSet, capfd: pytest.CaptureFixture[str]) -> None:
    create_model("bpr", threads=2).fit(data)
    assert capfd.readouterr() == ("", "")
