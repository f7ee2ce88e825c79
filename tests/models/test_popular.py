import numpy as np
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.registry import create_model

MATRIX = csr_matrix(np.array([[1, 0, 5, 0], [1, 1, 0, 0], [1, 1, 0, 0]], np.float32))


def test_what_most_users_took_comes_first_and_ties_go_to_the_lower_index() -> None:
    segments = create_model("popular").fit(TrainingSet.of(MATRIX)).segments(4)
    assert segments.ranking.items.tolist() == [[0, 1, 2, 3]]
    assert segments.ranking.scores.tolist() == [[3, 2, 1, 0]]


def test_weights_may_count_instead() -> None:
    segments = create_model("popular", {"by": "weight"}).fit(TrainingSet.of(MATRIX)).segments(3)
    assert segments.ranking.items.tolist() == [[2, 0, 1]]


def test_everybody_is_in_the_one_segment() -> None:
    segments = create_model("popular").fit(TrainingSet.of(MATRIX)).segments(4)
    assert segments.labels == ("",)
    assert segments.segment_of_user.tolist() == [0, 0, 0]


def test_a_segment_keeps_its_best_two_hundred() -> None:
    crowd = csr_matrix(np.tri(300, 300, dtype=np.float32))
    model = create_model("popular").fit(TrainingSet.of(crowd))
    assert model.segments(500).ranking.items[0].tolist() == list(range(200))
    last = model.recommend(np.array([299, 198]), crowd[[299, 198]], 5)
    assert last.items.tolist() == [[-1] * 5, [199, -1, -1, -1, -1]]
