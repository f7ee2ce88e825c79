import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from interactions.features import FeatureMatrix
from interactions.training_set import TrainingSet
from models.deep.batches import Histories, touched_in_batch
from models.deep.dssm import Dssm
from models.deep.towers import history_weights
from models.fit_run import Epoch
from models.registry import create_model
from topshelf.errors import CorruptArtifact

QUICK = {"factors": 8, "lr": 0.02, "batch_size": 64, "epochs": 30}


@pytest.fixture
def two_tastes() -> TrainingSet:
    """80 users like the first or the last 15 items as they are F or M; of 80 and 81 the sex alone is known,
    of 82 nothing.
    """
    numbers = np.random.default_rng(0)
    touched = np.zeros((83, 30), np.float32)
    for user in range(80):
        touched[user, 15 * (user % 2) + numbers.permutation(15)[:8]] = 1
    sexes = np.zeros((83, 2), np.float32)
    sexes[np.arange(82), np.arange(82) % 2] = 1
    bare = TrainingSet.of(csr_matrix(touched))
    features = FeatureMatrix(csr_matrix(sexes), ("sex=F", "sex=M"))
    sides = csr_matrix(np.repeat(np.eye(2, dtype=np.float32), 15, axis=0))
    return TrainingSet(bare.matrix, sides, ("left", "right"), user_features=features)


def fitted(data: TrainingSet, **params: object) -> Dssm:
    model = create_model("dssm", {**QUICK, **params}).fit(data)
    assert isinstance(model, Dssm)
    return model


@pytest.mark.parametrize("hidden", [(), (16,), (16, 12)])
def test_the_rest_of_ones_taste_comes_first(hidden: tuple[int, ...], two_tastes: TrainingSet) -> None:
    model = fitted(two_tastes, hidden=hidden)
    items = model.recommend(np.arange(80), two_tastes.matrix[:80], 5).items
    assert ((items >= 15) == (np.arange(80) % 2 == 1)[:, np.newaxis]).mean() > 0.98


def test_who_has_features_alone_gets_a_list_of_their_own(two_tastes: TrainingSet) -> None:
    model = fitted(two_tastes)
    items = model.recommend(np.arange(80, 83), two_tastes.matrix[80:], 5).items
    assert (items[0] < 15).mean() > 0.7
    assert (items[1] >= 15).mean() > 0.7
    assert (items[2] == -1).all()


def test_new_events_count_without_training(two_tastes: TrainingSet) -> None:
    model = fitted(TrainingSet.of(two_tastes.matrix))
    assert (model.recommend(np.array([0]), two_tastes.matrix[[1]], 5).items >= 15).all()


def test_mixed_precision_and_dropout_find_them_too(two_tastes: TrainingSet) -> None:
    model = fitted(two_tastes, mixed_precision=True, history_dropout=0.3)
    items = model.recommend(np.arange(80), two_tastes.matrix[:80], 5).items
    assert ((items >= 15) == (np.arange(80) % 2 == 1)[:, np.newaxis]).mean() > 0.98


def test_epochs_are_measured_and_the_refit_takes_the_best_number(two_tastes: TrainingSet) -> None:
    epochs: list[Epoch] = []
    model = create_model("dssm", {**QUICK, "patience": 3, "valid_share": 0.2})
    model.fit(two_tastes, on_epoch=epochs.append)
    scores = [epoch.metrics["NDCG@10"] for epoch in epochs]
    chosen = model.refit_config().model_dump()
    assert chosen["epochs"] == 1 + int(np.argmax(scores))
    assert chosen["valid_share"] == 0


def test_what_is_to_be_predicted_is_left_out_of_the_history() -> None:
    matrix = csr_matrix(np.array([[1, 1, 1, 0], [0, 0, 0, 1]], np.float32))
    history = Histories(matrix, torch.device("cpu")).bags(torch.tensor([0, 1]))
    weights = history_weights(history, torch.tensor([1, 3]), 0.0, torch.Generator())
    assert weights.tolist() == pytest.approx([2**-0.5, 0, 2**-0.5, 0])


def test_items_of_the_batch_that_a_user_has_touched_are_found() -> None:
    matrix = csr_matrix(np.array([[1, 0, 1, 0], [0, 0, 0, 1]], np.float32))
    bags = Histories(matrix, torch.device("cpu")).bags(torch.tensor([1, 0]))
    found = touched_in_batch(bags, torch.tensor([2, 3, 2, 1]))
    assert found.tolist() == [[False, True, False, False], [True, False, True, False]]


def test_features_of_another_number_of_users_are_not_restored(two_tastes: TrainingSet) -> None:
    model = fitted(two_tastes, epochs=1)
    arrays = model.arrays()
    arrays["user_features"] = arrays["user_features"][:-1]
    with pytest.raises(CorruptArtifact, match="features of 82 users, not of 83"):
        Dssm.from_arrays(arrays, model.config, n_users=83, n_items=30)
