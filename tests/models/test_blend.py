"""A blend of several models' lists."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.features import FeatureMatrix
from interactions.training_set import TrainingSet
from models.blend import Blend, BlendConfig, Component, fuse
from models.registry import create_model
from topshelf.errors import InvalidConfig

MakeData = Callable[..., TrainingSet]


def test_what_an_item_is_worth_in_several_lists_adds_up() -> None:
    items = np.array([[3, 1, 1, 2], [5, -1, -1, 5]], np.int32)
    worth = np.array([[0.6, 0.5, 0.2, 0.4], [0.1, 9.0, 9.0, 0.3]])
    ranking = fuse(items, worth, 3)
    np.testing.assert_array_equal(ranking.items, [[1, 3, 2], [5, -1, -1]])
    np.testing.assert_allclose(ranking.scores, [[0.7, 0.6, 0.4], [0.4, -np.inf, -np.inf]])


def test_equal_worth_goes_to_the_lower_index() -> None:
    ranking = fuse(np.array([[9, 4, 7]], np.int32), np.ones((1, 3)), 2)
    np.testing.assert_array_equal(ranking.items, [[4, 7]])


def test_longer_lists_than_there_are_items_are_padded() -> None:
    ranking = fuse(np.array([[2]], np.int32), np.ones((1, 1)), 3)
    np.testing.assert_array_equal(ranking.items, [[2, -1, -1]])


@pytest.mark.parametrize("mix", ["rank", "score"])
def test_a_blend_of_one_is_that_model(mix: str, data: TrainingSet) -> None:
    everyone = np.arange(data.n_users)
    alone = create_model("item_knn").fit(data).recommend(everyone, data.matrix, 5)
    blend = create_model("blend", {"components": [{"model": "item_knn"}], "mix": mix}).fit(data)
    items = blend.recommend(everyone, data.matrix, 5).items
    if mix == "rank":
        np.testing.assert_array_equal(items, alone.items)
    else:
        np.testing.assert_array_equal(items[:, 0], alone.items[:, 0])


def test_the_heavier_component_leads(data: TrainingSet) -> None:
    everyone = np.arange(data.n_users)
    heavy = {"model": "als", "weight": 1000.0}
    blend = create_model("blend", {"components": [{"model": "item_knn"}, heavy]}).fit(data)
    als = create_model("als").fit(data).recommend(everyone, data.matrix, 5)
    np.testing.assert_array_equal(blend.recommend(everyone, data.matrix, 5).items, als.items)


@pytest.mark.parametrize("name", ["popular", "blend", "alz"])
def test_what_has_no_lists_of_its_own_is_no_component(name: str) -> None:
    with pytest.raises(InvalidConfig, match="components"):
        create_model("blend", {"components": [{"model": name}]})


def test_a_component_with_a_misspelt_hyper_parameter_is_refused_at_once() -> None:
    with pytest.raises(InvalidConfig, match="did you mean 'factors'"):
        create_model("blend", {"components": [{"model": "als", "config": {"factor": 8}}]})


def test_the_components_are_refitted_with_what_they_chose(data: TrainingSet) -> None:
    blend = create_model("blend").fit(data)
    assert isinstance(blend, Blend)
    config = blend.refit_config()
    assert isinstance(config, BlendConfig)
    assert [component.model for component in config.components] == ["als", "item_knn"]
    assert config.components[0].config["factors"] == 64
    assert isinstance(config.components[0], Component)


def test_who_a_component_knows_by_features_alone_gets_its_list(data: TrainingSet) -> None:
    lil = data.matrix.tolil()
    lil[58:] = 0
    sexes = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    sexes[59] = 0
    matrix = csr_matrix(lil, dtype=np.float32)
    features = FeatureMatrix(csr_matrix(sexes), ("sex=F", "sex=M"))
    known = TrainingSet(matrix, data.categories, data.category_names, features)
    components = [{"model": "als"}, {"model": "lightfm"}]
    blend = create_model("blend", {"components": components}).fit(known)
    alone = create_model("lightfm").fit(known)
    users = np.array([58, 59])
    wanted, found = (model.recommend(users, matrix[users], 5).items for model in (alone, blend))
    assert (found[0] >= 0).all()
    np.testing.assert_array_equal(found, wanted)
