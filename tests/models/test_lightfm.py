import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.features import FeatureMatrix
from interactions.training_set import TrainingSet
from models.fit_run import Epoch
from models.lightfm import LightFm
from models.registry import create_model
from topshelf.errors import TrainingFailed

SEXES = ("sex=F", "sex=M", "sex=unheard of")


@pytest.fixture
def two_tastes() -> TrainingSet:
    """60 users like the first or the last 20 items as they are F or M; of users 60 to 63 no history is known:
    F, M, a sex nobody else has, and none at all.
    """
    numbers = np.random.default_rng(0)
    touched = np.zeros((64, 40), np.float32)
    for user in range(60):
        touched[user, 20 * (user % 2) + numbers.permutation(20)[:8]] = 1
    sexes = np.zeros((64, 3), np.float32)
    sexes[np.arange(60), np.arange(60) % 2] = 1
    sexes[[60, 61, 62], [0, 1, 2]] = 1
    bare = TrainingSet.of(csr_matrix(touched))
    return TrainingSet(bare.matrix, bare.categories, user_features=FeatureMatrix(csr_matrix(sexes), SEXES))


def fitted(name: str, data: TrainingSet, **params: object) -> LightFm:
    model = create_model(name, params).fit(data)
    assert isinstance(model, LightFm)
    return model


both = pytest.mark.parametrize("name", ["lightfm", "lightfm_ann"])


@pytest.mark.parametrize("loss", ["warp", "bpr", "logistic"])
def test_the_rest_of_ones_taste_comes_first(loss: str, two_tastes: TrainingSet) -> None:
    model = fitted("lightfm", two_tastes, factors=8, epochs=60, loss=loss)
    items = model.recommend(np.arange(60), two_tastes.matrix[:60], 5).items
    assert ((items >= 20) == (np.arange(60) % 2 == 1)[:, np.newaxis]).mean() > (
        0.95 if loss != "logistic" else 0.6
    )


@both
def test_who_has_features_alone_gets_a_list_of_their_own(name: str, two_tastes: TrainingSet) -> None:
    model = fitted(name, two_tastes, factors=8, epochs=60)
    items = model.recommend(np.arange(60, 64), two_tastes.matrix[60:], 5).items
    assert (items[0] < 20).all()
    assert (items[0] >= 0).all()
    assert (items[1] >= 20).all()
    assert (items[2:] == -1).all()
    assert model.knows_cold(np.arange(60, 64)).tolist() == [True, True, False, False]


def test_without_features_nobody_new_is_known(two_tastes: TrainingSet) -> None:
    model = fitted("lightfm", two_tastes, features=False)
    assert (model.recommend(np.arange(60, 64), two_tastes.matrix[60:], 5).items == -1).all()


def test_features_of_items_bring_their_likes_together(two_tastes: TrainingSet) -> None:
    sides = csr_matrix(np.repeat(np.eye(2, dtype=np.float32), 20, axis=0))
    bare = TrainingSet.of(two_tastes.matrix)
    with_categories = TrainingSet(bare.matrix, sides, ("left", "right"))
    with_features = TrainingSet(
        bare.matrix, bare.categories, item_features=FeatureMatrix(sides, ("side=left", "side=right"))
    )
    by_category, by_feature = (
        fitted("lightfm", data, factors=8).arrays()["item_factors"]
        for data in (with_categories, with_features)
    )
    np.testing.assert_array_equal(by_category, by_feature)
    plain = fitted("lightfm", bare, factors=8).arrays()["item_factors"]
    assert not np.array_equal(by_category, plain)


def test_every_epoch_is_told(data: TrainingSet) -> None:
    epochs: list[Epoch] = []
    create_model("lightfm", {"epochs": 3}).fit(data, on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3]


def test_divergence_names_the_epoch(data: TrainingSet) -> None:
    with pytest.raises(TrainingFailed, match=r"lightfm diverged in epoch \d+, batch 1 of 1"):
        fitted("lightfm", data, learning_rate=1e30, epochs=5)
