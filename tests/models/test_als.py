import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.fit_run import Epoch
from models.registry import create_model
from topshelf.errors import CorruptArtifact, TrainingFailed


def brute_force(arrays: dict[str, np.ndarray], seen: csr_matrix, k: int) -> np.ndarray:
    scores = arrays["user_factors"].astype(np.float64) @ arrays["item_factors"].astype(np.float64).T
    scores[seen.toarray() != 0] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def test_the_withheld_diagonal_of_a_checkerboard_comes_first(checkerboard: csr_matrix) -> None:
    model = create_model("als", {"factors": 3, "regularization": 0.1}).fit(TrainingSet.of(checkerboard))
    ranking = model.recommend(np.arange(20), checkerboard, 1)
    assert ranking.items[:, 0].tolist() == list(range(20))


def test_lists_are_numpys_own(data: TrainingSet) -> None:
    model = create_model("als", {"factors": 6, "regularization": 0.1}).fit(data)
    ranking = model.recommend(np.arange(60), data.matrix, 8)
    np.testing.assert_array_equal(ranking.items, brute_force(dict(model.arrays()), data.matrix, 8))


def test_lists_are_numpys_own_at_a_larger_scale() -> None:
    rng = np.random.default_rng(3)
    touched = csr_matrix((rng.random((1_500, 2_000)) < 0.02).astype(np.float32))
    model = create_model("als", {"iterations": 3}).fit(TrainingSet.of(touched))
    ranking = model.recommend(np.arange(1_500), touched, 20)
    np.testing.assert_array_equal(ranking.items, brute_force(dict(model.arrays()), touched, 20))


def test_another_seed_gives_other_factors(data: TrainingSet) -> None:
    one, two = (create_model("als", seed=seed).fit(data).arrays()["item_factors"] for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_weights_count_only_where_asked_for(data: TrainingSet) -> None:
    ones = TrainingSet.of(csr_matrix((data.matrix.toarray() != 0).astype(np.float32)))
    rated = TrainingSet.of(data.matrix)

    def factors(params: dict[str, object], on: TrainingSet) -> np.ndarray:
        return np.asarray(create_model("als", params).fit(on).arrays()["item_factors"])

    np.testing.assert_array_equal(factors({}, ones), factors({}, rated))
    assert not np.array_equal(factors({"weighted": True}, ones), factors({"weighted": True}, rated))


def test_every_iteration_is_reported(data: TrainingSet) -> None:
    heard: list[str] = []
    epochs: list[Epoch] = []
    create_model("als", {"iterations": 3}).fit(
        data, progress=lambda _share, message: heard.append(message), on_epoch=epochs.append
    )
    assert heard[1:4] == [f"als: iteration {n} of 3" for n in (1, 2, 3)]
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert all(epoch.seconds >= 0 for epoch in epochs)


def test_divergence_names_the_iteration(data: TrainingSet) -> None:
    model = create_model("als", {"alpha": 1e38, "regularization": 0.0})
    with pytest.raises(TrainingFailed, match=r"als diverged at iteration \d+: a factor is NaN or infinite"):
        model.fit(data)


def test_factors_that_are_no_numbers_are_not_restored(data: TrainingSet) -> None:
    model = create_model("als").fit(data)
    arrays = {name: np.array(array) for name, array in model.arrays().items()}
    arrays["item_factors"][3, 3] = np.nan
    with pytest.raises(CorruptArtifact, match="item_factors"):
        type(model).from_arrays(arrays, model.config, n_users=60, n_items=40)


def test_nothing_is_printed(data: TrainingSet, capfd: pytest.CaptureFixture[str]) -> None:
    create_model("als", threads=2).fit(data)
    assert capfd.readouterr() == ("", "")
