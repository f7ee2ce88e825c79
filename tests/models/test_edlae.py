"""Linear autoencoders as models."""

import numpy as np
import pytest

from interactions.training_set import TrainingSet
from models.edlae import Edlae, EdlaeConfig
from models.registry import create_model


def test_without_normalisation_and_dropout_it_is_ease(data: TrainingSet) -> None:
    counts = np.bincount(data.matrix.indices, minlength=data.n_items)
    plain = {"dropout": 0, "user_exponent": 0, "item_exponent": 0, "regularization": 2}
    everyone = np.arange(data.n_users)
    edlae = create_model("edlae", plain).fit(data).recommend(everyone, data.matrix, 10)
    ease = create_model("ease", {"regularization": 2 * counts.mean()}).fit(data)
    np.testing.assert_array_equal(edlae.items, ease.recommend(everyone, data.matrix, 10).items)


@pytest.mark.parametrize("name", ["ease", "edlae"])
def test_the_weight_of_an_interaction_does_not_count(name: str, data: TrainingSet) -> None:
    heavy = data.matrix.copy()
    heavy.data *= 7
    everyone = np.arange(data.n_users)
    one = create_model(name).fit(data).recommend(everyone, data.matrix, 10)
    other = create_model(name).fit(TrainingSet.of(heavy)).recommend(everyone, heavy, 10)
    np.testing.assert_array_equal(one.items, other.items)


def test_dropout_shrinks_the_weights_of_popular_items_most(data: TrainingSet) -> None:
    def total(dropout: float) -> float:
        model = Edlae(EdlaeConfig(dropout=dropout)).fit(data)
        return float(np.abs(model.arrays()["weights"].astype(np.float64)).sum())

    assert total(0.8) < total(0.0)
