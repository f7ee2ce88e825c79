"""What every model promises, swept over all that are registered."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.artifacts import ARRAYS_FILE, MANIFEST_FILE, ArtifactManifest, Artifacts
from models.base import Recommender
from models.ranking import ListRules, Ranking
from models.registry import create_model, model_class, model_config, model_names
from topshelf.errors import (
    CorruptArtifact,
    EmptyData,
    InvalidConfig,
    InvalidId,
    JobCancelled,
    ModelError,
    NotFitted,
    TrainingFailed,
)

MakeData = Callable[..., TrainingSet]

every_model = pytest.mark.parametrize("name", model_names())


def ranked(model: Recommender, data: TrainingSet, k: int = 5, *, drop_seen: bool = True) -> Ranking:
    return model.recommend(np.arange(data.n_users), data.matrix, k, drop_seen=drop_seen)


def saved(artifacts: Artifacts, model: Recommender) -> ArtifactManifest:
    return artifacts.save(model, dataset_version="v1", metrics={"NDCG@10": 0.5}, split="s", code_version="1")


@every_model
def test_lists_hold_distinct_unseen_items_best_first(name: str, data: TrainingSet) -> None:
    ranking = ranked(create_model(name).fit(data), data)
    assert ranking.items.dtype == np.int32
    assert ranking.scores.dtype == np.float32
    for user, (padded, scores) in enumerate(zip(ranking.items, ranking.scores, strict=True)):
        items = padded[padded >= 0]
        assert len(items) == len(set(items.tolist())) > 0
        assert not set(items.tolist()) & set(data.matrix[user].indices.tolist())
        assert (np.diff(scores[: len(items)]) <= 0).all()
        assert np.isfinite(scores[: len(items)]).all()


@every_model
def test_seen_items_stay_when_asked_to(name: str, data: TrainingSet) -> None:
    ranking = ranked(create_model(name).fit(data), data, k=20, drop_seen=False)
    assert any(set(ranking.items[u]) & set(data.matrix[u].indices) for u in range(data.n_users))


@every_model
def test_a_second_fit_starts_from_nothing(name: str, make_data: MakeData) -> None:
    first, second = make_data(seed=1), make_data(n_users=50, n_items=35, seed=2)
    refitted = create_model(name).fit(first).fit(second)
    fresh = create_model(name).fit(second)
    np.testing.assert_array_equal(ranked(refitted, second).items, ranked(fresh, second).items)


@every_model
def test_the_same_seed_gives_the_same_list(name: str, data: TrainingSet) -> None:
    lists = [ranked(create_model(name, seed=7).fit(data), data) for _ in range(2)]
    np.testing.assert_array_equal(lists[0].items, lists[1].items)
    np.testing.assert_array_equal(lists[0].scores, lists[1].scores)


@every_model
def test_the_number_of_threads_does_not_change_a_list(name: str, data: TrainingSet) -> None:
    one, two = (ranked(create_model(name, threads=n).fit(data), data) for n in (1, 2))
    np.testing.assert_array_equal(one.items, two.items)


@every_model
def test_a_user_gets_the_same_list_alone_and_among_others(name: str, data: TrainingSet) -> None:
    model = create_model(name).fit(data)
    together = ranked(model, data)
    for user in (0, 17, 59):
        alone = model.recommend(np.array([user]), data.matrix[[user]], 5)
        np.testing.assert_array_equal(alone.items[0], together.items[user])


@every_model
def test_save_and_load_give_the_same_list(name: str, data: TrainingSet, tmp_path: Path) -> None:
    model = create_model(name, seed=3).fit(data)
    artifacts = Artifacts(tmp_path)
    loaded, manifest = artifacts.load(saved(artifacts, model).id)
    np.testing.assert_array_equal(ranked(loaded, data).items, ranked(model, data).items)
    np.testing.assert_array_equal(ranked(loaded, data).scores, ranked(model, data).scores)
    assert (loaded.config, loaded.seed, loaded.n_users, loaded.n_items) == (model.config, 3, 60, 40)
    assert (manifest.model, manifest.dataset, manifest.metrics) == (name, "v1", {"NDCG@10": 0.5})


@every_model
def test_an_artifact_is_safetensors_and_json_only(name: str, data: TrainingSet, tmp_path: Path) -> None:
    manifest = saved(Artifacts(tmp_path), create_model(name).fit(data))
    files = {path.name for path in (tmp_path / manifest.id).iterdir()}
    assert files == {ARRAYS_FILE, MANIFEST_FILE}
    assert {path.name for path in tmp_path.iterdir()} == {manifest.id}


@every_model
@pytest.mark.parametrize("file", [ARRAYS_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("harm", ["cut", "flip", "remove"])
def test_a_damaged_artifact_is_refused(
    name: str, file: str, harm: str, data: TrainingSet, tmp_path: Path
) -> None:
    artifacts = Artifacts(tmp_path)
    manifest = saved(artifacts, create_model(name).fit(data))
    path = tmp_path / manifest.id / file
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0x80
        path.write_bytes(content)
    with pytest.raises(CorruptArtifact):
        artifacts.load(manifest.id)


@every_model
def test_arrays_of_another_shape_are_refused(name: str, data: TrainingSet) -> None:
    arrays = create_model(name).fit(data).arrays()
    kept = {key: array[:-1] for key, array in arrays.items()}
    for broken in ({}, kept):
        with pytest.raises(CorruptArtifact):
            model_class(name).from_arrays(broken, model_config(name), n_users=60, n_items=40)


@every_model
def test_a_user_without_history_is_no_error(name: str, data: TrainingSet) -> None:
    lil = data.matrix.tolil()
    lil[5] = 0
    cold = TrainingSet(csr_matrix(lil, dtype=np.float32), data.categories, data.category_names)
    model = create_model(name).fit(cold)
    ranking = ranked(model, cold)
    has_list = (ranking.items[5] >= 0).any()
    assert has_list == model.knows_cold(np.array([5]))[0]
    assert (ranking.items[6] >= 0).any()


@every_model
def test_an_item_nobody_touched_is_no_error(name: str, data: TrainingSet) -> None:
    lil = data.matrix.tolil()
    lil[:, 39] = 0
    quiet = TrainingSet(csr_matrix(lil, dtype=np.float32), data.categories, data.category_names)
    ranking = ranked(create_model(name).fit(quiet), quiet)
    assert (ranking.items[:, 0] != 39).all()


@every_model
def test_a_catalogue_smaller_than_k_pads_the_list(name: str, make_data: MakeData) -> None:
    small = make_data(n_users=12, n_items=4)
    ranking = ranked(create_model(name).fit(small), small, k=10)
    assert ranking.items.shape == ranking.scores.shape == (12, 10)
    assert (ranking.items[:, 4:] == -1).all()
    assert (ranking.scores[ranking.items < 0] == -np.inf).all()
    listed = ranking.items >= 0
    assert (np.diff(listed.astype(int), axis=1) <= 0).all()


@every_model
@pytest.mark.parametrize("shape", [(1, 8), (8, 1), (1, 1)])
def test_one_user_or_one_item_is_no_error(name: str, shape: tuple[int, int], make_data: MakeData) -> None:
    tiny = make_data(*shape)
    ranking = ranked(create_model(name).fit(tiny), tiny)
    assert ranking.items.shape == (shape[0], 5)
    assert np.isfinite(ranking.scores[ranking.items >= 0]).all()


@every_model
def test_entries_of_weight_zero_count_as_touched(name: str, data: TrainingSet) -> None:
    matrix = data.matrix.copy()
    matrix.data[matrix.indptr[3] : matrix.indptr[4]] = 0
    zeroed = TrainingSet(matrix, data.categories, data.category_names)
    ranking = ranked(create_model(name).fit(zeroed), zeroed)
    assert not set(ranking.items[3]) & set(matrix[[3]].indices)


@every_model
def test_items_without_categories_are_no_error(name: str, data: TrainingSet) -> None:
    bare = TrainingSet.of(data.matrix)
    assert (ranked(create_model(name).fit(bare), bare).items[:, 0] >= 0).all()


@every_model
def test_an_unknown_hyper_parameter_is_named(name: str) -> None:
    with pytest.raises(InvalidConfig, match="'no_such_thing' is not a hyper-parameter"):
        create_model(name, {"no_such_thing": 1})


@every_model
def test_an_unfitted_model_says_so(name: str, data: TrainingSet) -> None:
    model = create_model(name)
    with pytest.raises(NotFitted, match=name):
        model.arrays()
    with pytest.raises(NotFitted, match=name):
        ranked(model, data)


@every_model
@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_a_weight_that_is_no_number_fails_training(name: str, weight: float, data: TrainingSet) -> None:
    matrix = data.matrix.copy()
    matrix.data[3] = weight
    with pytest.raises(TrainingFailed, match="NaN or infinite"):
        create_model(name).fit(TrainingSet(matrix, data.categories, data.category_names))


@every_model
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5, 5)])
def test_no_interactions_fail_training(name: str, shape: tuple[int, int]) -> None:
    with pytest.raises(EmptyData, match="no interactions"):
        create_model(name).fit(TrainingSet.of(csr_matrix(np.zeros(shape, np.float32))))


@every_model
def test_requests_that_do_not_fit_are_refused(name: str, data: TrainingSet) -> None:
    model = create_model(name).fit(data)
    one = data.matrix[[0]]
    for user in (-1, 60):
        with pytest.raises(InvalidId, match="from 0 to 59"):
            model.recommend(np.array([user]), one, 5)
    with pytest.raises(ModelError, match="history has shape"):
        model.recommend(np.array([0, 1]), one, 5)
    with pytest.raises(ModelError, match="k must be at least 1"):
        model.recommend(np.array([0]), one, 0)


@every_model
def test_nobody_asked_for_is_an_empty_ranking(name: str, data: TrainingSet) -> None:
    ranking = create_model(name).fit(data).recommend(np.array([], np.int64), data.matrix[:0], 5)
    assert ranking.items.shape == (0, 5)


@every_model
def test_progress_runs_from_zero_to_one(name: str, data: TrainingSet) -> None:
    shares: list[float] = []
    create_model(name).fit(data, progress=lambda share, _message: shares.append(share))
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)


@every_model
def test_a_cancellation_stops_training(name: str, data: TrainingSet) -> None:
    def cancel(share: float, message: str) -> None:
        if share > 0:
            raise JobCancelled(message)

    model = create_model(name)
    with pytest.raises(JobCancelled):
        model.fit(data, progress=cancel)
    with pytest.raises(NotFitted):
        model.arrays()


@every_model
def test_segments_exist_where_the_layout_says_so(name: str, data: TrainingSet) -> None:
    model = create_model(name).fit(data)
    if model.layout == "users":
        with pytest.raises(ModelError, match="list per user"):
            model.segments(10)
        return
    segments = model.segments(10)
    assert segments.labels[0] == ""
    assert segments.ranking.items.shape == (len(segments.labels), 10)
    assert segments.segment_of_user.shape == (60,)
    assert segments.segment_of_user.dtype == np.uint16


@every_model
def test_segment_lists_less_what_was_seen_are_the_lists(name: str, data: TrainingSet) -> None:
    model = create_model(name).fit(data)
    if model.layout == "users":
        return
    segments, ranking = model.segments(200), ranked(model, data, k=10)
    for user in range(data.n_users):
        stored = segments.ranking.items[segments.segment_of_user[user]]
        seen = set(data.matrix[user].indices.tolist())
        served = [item for item in stored.tolist() if item >= 0 and item not in seen][:10]
        assert ranking.items[user].tolist() == served + [-1] * (10 - len(served))


@every_model
def test_rules_are_kept_to(name: str, data: TrainingSet) -> None:
    model = create_model(name).fit(data)
    items = np.arange(data.n_items)
    rules = ListRules(items % 2 == 0, (items % 3).astype(np.int32), 2)
    users = np.arange(data.n_users)
    for padded in model.recommend(users, data.matrix, 6, rules=rules).items:
        listed = padded[padded >= 0]
        assert (listed % 2 == 0).all()
        assert (np.bincount(listed % 3, minlength=3) <= 2).all()
    free, allowed = (
        model.recommend(users, data.matrix, data.n_items, rules=each)
        for each in (ListRules(), ListRules(items % 2 == 0))
    )
    if name != "blend":
        # The lists without rules, odd items left out: a blend takes ranks among those that remain.
        np.testing.assert_array_equal(
            ListRules(items % 2 == 0).apply(free, data.n_items).items, allowed.items
        )


@every_model
def test_rules_of_another_catalogue_are_refused(name: str, data: TrainingSet) -> None:
    model = create_model(name).fit(data)
    with pytest.raises(ModelError, match="catalogue of"):
        model.recommend(np.array([0]), data.matrix[[0]], 3, rules=ListRules(np.ones(3, np.bool_)))
