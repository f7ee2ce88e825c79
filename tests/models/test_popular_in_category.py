import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models import popular_in_category
from models.registry import create_model
from models.segments import Segments
from topshelf.errors import TrainingFailed

NAMES = ("crime", "drama")
CATEGORIES = csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0], [1, 1]], np.float32))
MATRIX = csr_matrix(
    np.array(
        [
            [1, 1, 0, 0, 0, 0],
            [0, 0, 1, 1, 0, 0],
            [1, 0, 1, 0, 1, 0],
            [1, 0, 0, 0, 1, 1],
            [0, 0, 0, 0, 0, 0],
        ],
        np.float32,
    )
)
DATA = TrainingSet(MATRIX, CATEGORIES, NAMES)


def fitted_segments(**params: float) -> Segments:
    return create_model("popular_in_category", params).fit(DATA).segments(6)


def test_there_is_a_segment_per_category_and_one_for_everybody() -> None:
    assert fitted_segments().labels == ("", "crime", "drama")


def test_a_list_multiplies_the_popularity_of_its_category() -> None:
    # Users per item: 3 1 2 1 2 1.
    segments = fitted_segments(boost=2)
    assert segments.ranking.scores.tolist() == [[3, 2, 2, 1, 1, 1], [9, 3, 3, 2, 2, 1], [6, 3, 3, 3, 2, 1]]
    assert segments.ranking.items.tolist() == [[0, 2, 4, 1, 3, 5], [0, 1, 5, 2, 4, 3], [2, 0, 3, 5, 4, 1]]


def test_a_user_belongs_to_the_list_that_explains_the_history_best() -> None:
    assert fitted_segments().segment_of_user[:2].tolist() == [1, 2]


def test_users_without_history_and_without_a_marked_taste_stay_with_everybody() -> None:
    segment = fitted_segments(boost=9).segment_of_user
    assert segment[2] == 0
    assert segment[4] == 0


def test_the_likelihood_decides() -> None:
    boost, popular = 0.5, np.array([3, 1, 2, 1, 2, 1])
    member = np.concatenate([np.zeros((6, 1)), CATEGORIES.toarray()], axis=1)
    scores = popular[:, np.newaxis] * (1 + boost * member)
    likelihood = MATRIX.toarray() @ np.log(scores / scores.sum(axis=0))
    assert fitted_segments().segment_of_user.tolist() == likelihood.argmax(axis=1).tolist()


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fitted_segments().segment_of_user
    monkeypatch.setattr(popular_in_category, "BLOCK_BYTES", 1)
    np.testing.assert_array_equal(fitted_segments().segment_of_user, expected)


def test_no_boost_is_popular() -> None:
    segments = fitted_segments(boost=0)
    assert (segments.ranking.items == segments.ranking.items[0]).all()
    assert not segments.segment_of_user.any()


def test_more_categories_than_fit_a_row_fail_training() -> None:
    names = tuple(str(n) for n in range(2**16))
    many = TrainingSet(MATRIX, csr_matrix(([1.0], ([0], [0])), shape=(6, 2**16)), names)
    with pytest.raises(TrainingFailed, match="too many"):
        create_model("popular_in_category").fit(many)
