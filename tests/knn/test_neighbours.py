from pathlib import Path

import numpy as np
import pytest

from knn.neighbours import IDS_FILE, WEIGHTS_FILE, NeighbourIndex
from topshelf.errors import CorruptArtifact

IDS = np.array([[1, 2], [0, 3], [0, -1], [1, 0], [-1, -1]], np.int32)
WEIGHTS = np.array([[0.5, 0.25], [0.5, 0.5], [0.25, 0], [1.0, 0.125], [0, 0]], np.float32)


@pytest.fixture
def index() -> NeighbourIndex:
    return NeighbourIndex(IDS, WEIGHTS)


def drawn(n_items: int = 300, k: int = 12, seed: int = 0) -> NeighbourIndex:
    rng = np.random.default_rng(seed)
    ids = np.stack([rng.permutation(n_items)[:k] for _ in range(n_items)]).astype(np.int32)
    weights = np.sort(rng.random((n_items, k)).astype(np.float32) + 0.01)[:, ::-1]
    return NeighbourIndex(ids, weights.copy())


def lists(found: tuple[np.ndarray, np.ndarray]) -> tuple[list[int], list[float]]:
    return found[0].tolist(), found[1].tolist()


def test_similarities_to_the_session_add_up(index: NeighbourIndex) -> None:
    assert lists(index.recommend([2, 3], 5)) == ([1, 0], [1.0, 0.375])


def test_items_of_the_session_are_left_out_unless_asked_for(index: NeighbourIndex) -> None:
    assert lists(index.recommend([0, 1], 5))[0] == [3, 2]
    assert lists(index.recommend([0, 1], 5, drop_items=False))[0] == [0, 1, 3, 2]


def test_excluded_items_are_left_out_and_strangers_among_them_ignored(index: NeighbourIndex) -> None:
    assert lists(index.recommend([0], 5, exclude=[1, 99, -3])) == ([2], [0.25])


def test_ties_go_to_the_lower_index(index: NeighbourIndex) -> None:
    assert lists(index.recommend([1], 1)) == ([0], [0.5])
    assert lists(index.recommend([1], 2)) == ([0, 3], [0.5, 0.5])


def test_weights_say_how_much_each_item_counts(index: NeighbourIndex) -> None:
    assert lists(index.recommend([3, 0], 5, weights=[0.1, 1.0]))[0] == [1, 2]
    assert lists(index.recommend([2, 3], 5, weights=[1.0, 0.0])) == ([0], [0.25])


def test_unknown_items_count_for_nothing(index: NeighbourIndex) -> None:
    assert lists(index.recommend([99, 3, -1], 5, weights=[9, 1, 9])) == lists(index.recommend([3], 5))


@pytest.mark.parametrize("session", [[], [4], [99]])
def test_a_session_without_neighbours_gets_nothing(index: NeighbourIndex, session: list[int]) -> None:
    ids, scores = index.recommend(session, 5)
    assert ids.dtype == np.int32
    assert scores.dtype == np.float32
    assert len(ids) == len(scores) == 0


def test_the_order_of_the_session_does_not_matter() -> None:
    index, session = drawn(), np.random.default_rng(1).permutation(300)[:60]
    first, second = index.recommend(session, 40), index.recommend(session[::-1], 40)
    assert lists(first) == lists(second)


def test_the_list_is_that_of_the_whole_similarity_matrix() -> None:
    index = drawn()
    dense = np.zeros((300, 300))
    np.put_along_axis(dense, index.ids, index.weights.astype(np.float64), axis=1)
    for seed in range(20):
        session = np.random.default_rng(seed).permutation(300)[:7]
        scores = dense[np.sort(session)].sum(axis=0)
        scores[session] = 0
        expected = np.argsort(-scores, kind="stable")[:10]
        ids, found = index.recommend(session, 10)
        assert ids.tolist() == expected.tolist()
        np.testing.assert_allclose(found, scores[expected], rtol=1e-6)


def test_similar_items_come_nearest_first(index: NeighbourIndex) -> None:
    assert lists(index.similar(0, 5)) == ([1, 2], [0.5, 0.25])
    assert lists(index.similar(0, 1)) == ([1], [0.5])


@pytest.mark.parametrize("item", [4, 5, -1])
def test_an_item_without_neighbours_has_none(index: NeighbourIndex, item: int) -> None:
    assert lists(index.similar(item, 5)) == ([], [])


def test_an_opened_index_is_mapped_and_answers_the_same(tmp_path: Path) -> None:
    built = drawn()
    built.save(tmp_path / "knn")
    opened = NeighbourIndex.open(tmp_path / "knn")
    assert isinstance(opened.ids.base, np.memmap)
    assert lists(opened.recommend([1, 5, 9], 10)) == lists(built.recommend([1, 5, 9], 10))
    assert opened.n_items == 300


@pytest.mark.parametrize("file", [IDS_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("content", [None, b"", b"not an array", "cut"])
def test_a_damaged_file_is_refused(tmp_path: Path, file: str, content: bytes | str | None) -> None:
    drawn().save(tmp_path)
    path = tmp_path / file
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptArtifact, match=file):
        NeighbourIndex.open(tmp_path)


def test_pickled_files_are_refused(tmp_path: Path) -> None:
    drawn().save(tmp_path)
    np.save(tmp_path / IDS_FILE, np.array([object()]), allow_pickle=True)
    with pytest.raises(CorruptArtifact):
        NeighbourIndex.open(tmp_path)


@pytest.mark.parametrize(
    ("ids", "weights", "message"),
    [
        (IDS, WEIGHTS[:-1], "do not fit together"),
        (IDS.astype(np.int64), WEIGHTS, "int64"),
        (IDS, WEIGHTS.astype(np.float64), "float64"),
        (IDS + 4, WEIGHTS, "out of range"),
        (IDS - 1, WEIGHTS, "out of range"),
        (IDS, WEIGHTS - 1, "negative or not finite"),
        (IDS, WEIGHTS * np.float32(np.nan), "negative or not finite"),
        (IDS, WEIGHTS + 1, "missing neighbour"),
    ],
)
def test_arrays_that_are_no_index_are_refused(ids: np.ndarray, weights: np.ndarray, message: str) -> None:
    with pytest.raises(CorruptArtifact, match=message):
        NeighbourIndex(ids, weights)
