"""Lists made of a history alone, swept over all models."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from interactions.features import encode_features
from interactions.training_set import TrainingSet
from models.base import Recommender
from models.registry import create_model, model_names
from topshelf.errors import CannotFoldIn, InvalidId, ModelError, NotFitted

MakeData = Callable[..., TrainingSet]

FOLDING = (
    "item_knn",
    "als",
    "ease",
    "edlae",
    "blend",
    "denoising_ae",
    "variational_ae",
    "dssm",
)

folding = pytest.mark.parametrize("name", FOLDING)
by_history = pytest.mark.parametrize("name", [name for name in FOLDING if name not in {"als", "blend"}])
others = pytest.mark.parametrize("name", [name for name in model_names() if name not in FOLDING])


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Mean share of a list's items that stand in the other one, too."""
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(one, other, strict=True)]))


@pytest.mark.parametrize("name", model_names())
def test_who_folds_in_is_known_before_training(name: str) -> None:
    assert create_model(name).folds_in == (name in FOLDING)


@others
def test_others_say_what_to_run_instead(name: str, data: TrainingSet) -> None:
    with pytest.raises(CannotFoldIn, match=f"topshelf pipeline {name}"):
        create_model(name).fit(data).recommend_for(data.matrix, 5)


@folding
def test_an_unfitted_model_says_so(name: str, data: TrainingSet) -> None:
    with pytest.raises(NotFitted, match=name):
        create_model(name).recommend_for(data.matrix, 5)


@folding
def test_requests_that_do_not_fit_are_refused(name: str, data: TrainingSet) -> None:
    model = create_model(name).fit(data)
    with pytest.raises(ModelError, match="history has shape"):
        model.recommend_for(data.matrix[:, :-1], 5)
    with pytest.raises(ModelError, match="k must be at least 1"):
        model.recommend_for(data.matrix, 0)
    with pytest.raises(ModelError, match="history has shape"):
        model.recommend_for(data.matrix, 5, known_as=np.array([1]))
    for stranger in (-2, 60):
        with pytest.raises(InvalidId, match="from -1 to 59"):
            model.recommend_for(data.matrix[[0]], 5, known_as=np.array([stranger]))


@folding
def test_a_newcomer_has_a_list_of_unseen_items_best_first(
    name: str, data: TrainingSet, make_data: MakeData
) -> None:
    newcomers = make_data(n_users=25, seed=8).matrix
    ranking = create_model(name).fit(data).recommend_for(newcomers, 5)
    assert ranking.items.dtype == np.int32
    for user, (padded, scores) in enumerate(zip(ranking.items, ranking.scores, strict=True)):
        items = padded[padded >= 0]
        assert len(items) == len(set(items.tolist())) > 0
        assert not set(items.tolist()) & set(newcomers[[user]].indices.tolist())
        assert (np.diff(scores[: len(items)]) <= 0).all()


@folding
def test_seen_items_stay_when_asked_to(name: str, data: TrainingSet) -> None:
    ranking = create_model(name).fit(data).recommend_for(data.matrix, 20, drop_seen=False)
    assert any(set(ranking.items[u]) & set(data.matrix[[u]].indices) for u in range(data.n_users))


@folding
def test_a_list_depends_on_its_own_history_alone(name: str, data: TrainingSet, make_data: MakeData) -> None:
    model, newcomers = create_model(name).fit(data), make_data(n_users=25, seed=8).matrix
    together = model.recommend_for(newcomers, 5)
    for user in (0, 13, 24):
        alone = model.recommend_for(newcomers[[user]], 5)
        np.testing.assert_array_equal(alone.items[0], together.items[user])


@folding
def test_an_empty_history_and_nobody_at_all_are_no_errors(name: str, data: TrainingSet) -> None:
    model = create_model(name).fit(data)
    history = csr_matrix(np.zeros((2, data.n_items), np.float32))
    assert (model.recommend_for(history, 5).items == -1).all()
    assert model.recommend_for(history[:0], 5).items.shape == (0, 5)


@by_history
def test_an_unchanged_history_gives_the_list_it_gave(name: str, data: TrainingSet) -> None:
    model, users = create_model(name).fit(data), np.arange(data.n_users)
    before = model.recommend(users, data.matrix, 10)
    for known_as in (users, None):
        after = model.recommend_for(data.matrix, 10, known_as=known_as)
        np.testing.assert_array_equal(after.items, before.items)


@pytest.fixture
def trained_als() -> tuple[Recommender, csr_matrix]:
    """ALS that has converged, on users of four tastes."""
    rng = np.random.default_rng(5)
    chance = np.where(np.arange(400)[:, np.newaxis] % 4 == np.arange(200) % 4, 0.25, 0.02)
    matrix = csr_matrix((rng.random((400, 200)) < chance).astype(np.float32))
    model = create_model("als", {"factors": 16, "iterations": 30, "regularization": 1.0})
    return model.fit(TrainingSet.of(matrix)), matrix


def test_als_folds_an_unchanged_history_into_nearly_the_list_it_gave(
    trained_als: tuple[Recommender, csr_matrix],
) -> None:
    model, matrix = trained_als
    before = model.recommend(np.arange(400), matrix, 10)
    after = model.recommend_for(matrix, 10)
    assert overlap(before.items, after.items) > 0.95
    np.testing.assert_allclose(after.scores, before.scores, atol=0.05)


def test_als_solves_the_normal_equations_of_the_paper(trained_als: tuple[Recommender, csr_matrix]) -> None:
    model, matrix = trained_als
    items = np.asarray(model.arrays()["item_factors"], np.float64)
    taken = items[matrix[[7]].indices]
    # Hu, Koren, Volinsky (2008), equation 4: confidence alpha where there is an interaction, 1 elsewhere.
    alpha = 2.0
    left = items.T @ items + (alpha - 1) * taken.T @ taken + 1.0 * np.eye(16)
    vector = np.linalg.solve(left, alpha * taken.sum(axis=0))
    ranking = model.recommend_for(matrix[[7]], 10)
    np.testing.assert_allclose(ranking.scores[0], items[ranking.items[0]] @ vector, rtol=1e-3)


def test_als_takes_the_weights_of_a_history_where_it_was_trained_with_them(data: TrainingSet) -> None:
    heavy = data.matrix.copy()
    heavy.data[:] = 50
    light = data.matrix.copy()
    light.data[:] = 1
    for weighted, same in ((True, False), (False, True)):
        model = create_model("als", {"weighted": weighted, "regularization": 1.0}).fit(data)
        one, two = (model.recommend_for(history, 5).scores for history in (heavy, light))
        assert np.array_equal(one, two) == same


def test_als_whose_equations_have_no_solution_says_so() -> None:
    lonely = csr_matrix(np.ones((1, 1), np.float32))
    model = create_model("als", {"factors": 4, "regularization": 0.0}).fit(TrainingSet.of(lonely))
    with pytest.raises(ModelError, match="regularization is too low"):
        model.recommend_for(lonely, 1)


def test_new_events_move_the_list(trained_als: tuple[Recommender, csr_matrix]) -> None:
    model, matrix = trained_als
    grown = matrix[[0]].tolil()
    grown[0, [1, 5, 9, 13, 17, 21, 25, 29]] = 1
    before, after = model.recommend_for(matrix[[0]], 10), model.recommend_for(csr_matrix(grown), 10)
    tastes_before, tastes_after = before.items[0] % 4, after.items[0] % 4
    assert (tastes_before == 1).sum() < (tastes_after == 1).sum()


def test_a_blend_folds_in_where_all_its_components_do(data: TrainingSet) -> None:
    can = create_model("blend", {"components": [{"model": "ease"}, {"model": "item_knn", "weight": 2}]})
    cannot = create_model("blend", {"components": [{"model": "ease"}, {"model": "bpr"}]})
    assert (can.folds_in, cannot.folds_in) == (True, False)
    before = can.fit(data).recommend(np.arange(data.n_users), data.matrix, 10)
    np.testing.assert_array_equal(can.recommend_for(data.matrix, 10).items, before.items)


def test_a_two_tower_model_keeps_the_features_of_those_it_knows(make_data: MakeData) -> None:
    plain = make_data()
    ages = encode_features(pl.DataFrame({"age": ["young", "old"] * 30}), 60)
    data = TrainingSet(plain.matrix, plain.categories, plain.category_names, ages)
    model, users = create_model("dssm").fit(data), np.arange(60)
    before = model.recommend(users, data.matrix, 10)
    known = model.recommend_for(data.matrix, 10, known_as=users)
    np.testing.assert_array_equal(known.items, before.items)
    assert not np.array_equal(model.recommend_for(data.matrix, 10).scores, before.scores)
