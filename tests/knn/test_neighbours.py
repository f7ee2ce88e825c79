import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knn.neighbours import CHECKED_ENTRIES, IDS_FILE, QUICK_ENTRIES, WEIGHTS_FILE, NeighbourIndex
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


def padded(n_items: int, k: int, seed: int) -> NeighbourIndex:
    """Rows of every length, and weights of which many are the same."""
    rng = np.random.default_rng(seed)
    ids = np.full((n_items, k), -1, np.int32)
    weights = np.zeros((n_items, k), np.float32)
    for item in range(n_items):
        length = rng.integers(0, min(k, n_items) + 1)
        ids[item, :length] = rng.permutation(n_items)[:length]
        weights[item, :length] = np.sort(rng.choice([0.1, 0.2, 0.3, 0.7], length))[::-1]
    return NeighbourIndex(ids, weights)


def added_up(
    index: NeighbourIndex, session: list[int], importance: list[float], left_out: set[int], k: int
) -> tuple[list[int], list[float]]:
    """The definition in loops: float64 sums over the session in the order of its items."""
    sums: dict[int, float] = {}
    for item, much in sorted(zip(session, importance, strict=True)):
        if 0 <= item < index.n_items:
            for near, weight in zip(index.ids[item].tolist(), index.weights[item].tolist(), strict=True):
                sums[near] = sums.get(near, 0.0) + weight * much
    ranked = sorted((-score, near) for near, score in sums.items() if score > 0 and near not in left_out)[:k]
    return [near for _, near in ranked], [float(np.float32(-score)) for score, _ in ranked]


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


@settings(deadline=None, max_examples=200)
@given(data=st.data(), n_items=st.sampled_from([1, 7, 60, 500, 3_000]), width=st.integers(1, 9))
def test_the_list_is_that_of_the_definition_to_the_last_bit(
    data: st.DataObject, n_items: int, width: int
) -> None:
    index = padded(n_items, width, data.draw(st.integers(0, 50)))
    items = st.integers(-2, n_items + 1)
    session = data.draw(st.lists(items, max_size=40, unique=True))
    much = st.sampled_from([0.0, 0.3, 1.0, 1.7])
    importance = data.draw(st.lists(much, min_size=len(session), max_size=len(session)))
    exclude = data.draw(st.sets(items, max_size=10))
    drop_items, k = data.draw(st.booleans()), data.draw(st.integers(1, 100))
    left_out = exclude | set(session) if drop_items else exclude
    found = index.recommend(session, k, exclude=exclude, weights=importance, drop_items=drop_items)
    assert lists(found) == added_up(index, session, importance, left_out, k)
    plain = index.recommend(session, k, exclude=exclude, drop_items=drop_items)
    assert lists(plain) == added_up(index, session, [1.0] * len(session), left_out, k)
    assert len(index.recommend(session, 0)[0]) == 0


def test_a_session_that_reaches_the_whole_catalogue_is_scored_by_the_definition_too() -> None:
    index = padded(3_000, 100, 3)
    session = np.random.default_rng(4).permutation(3_000)[:1_000].tolist()
    expected = added_up(index, session, [1.0] * len(session), set(session), 3_000)
    assert lists(index.recommend(session, 3_000)) == expected


def test_the_first_of_a_long_list_are_the_short_one() -> None:
    index = padded(500, 9, 1)
    everything = lists(index.recommend([3, 7, 400], 500))
    for k in range(len(everything[0]) + 2):
        assert lists(index.recommend([3, 7, 400], k)) == (everything[0][:k], everything[1][:k])


def test_threads_share_an_index() -> None:
    index = drawn(2_000, 20)
    sessions = [np.random.default_rng(seed).permutation(2_000)[: 1 + 5 * seed] for seed in range(20)]
    alone = [lists(index.recommend(session, 10)) for session in sessions]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda session: lists(index.recommend(session, 10)), sessions * 20))
    assert together == alone * 20


def test_a_long_session_is_no_work_for_an_event_loop() -> None:
    index = drawn(k=100)
    assert index.is_quick(QUICK_ENTRIES // 100)
    assert not index.is_quick(QUICK_ENTRIES // 100 + 1)


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


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_opening_and_asking_leaves_the_index_in_its_files(tmp_path: Path) -> None:
    n_items, width = 100_000, 50
    ids = np.random.default_rng(0).integers(0, n_items, (n_items, width), np.int32)
    NeighbourIndex(ids, np.ones((n_items, width), np.float32)).save(tmp_path)
    program = """
import re, sys
from pathlib import Path
from knn.neighbours import NeighbourIndex

def anonymous_kb():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = anonymous_kb()
index = NeighbourIndex.open(Path(sys.argv[1]))
index.recommend(range(10), 20)
print(anonymous_kb() - before)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    files_kb = sum(file.stat().st_size for file in tmp_path.iterdir()) // 1024
    assert int(ended.stdout) < files_kb / 10


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


@pytest.mark.parametrize(
    ("id_", "weight", "message"), [(9_000, 1, "out of range"), (0, np.inf, "not finite")]
)
def test_one_bad_entry_far_down_is_found(id_: int, weight: float, message: str) -> None:
    shape = (4_500, 30)
    assert shape[0] * shape[1] > 2 * CHECKED_ENTRIES
    ids, weights = np.zeros(shape, np.int32), np.ones(shape, np.float32)
    ids[-1, -1], weights[-1, -1] = id_, weight
    with pytest.raises(CorruptArtifact, match=message):
        NeighbourIndex(ids, weights)
