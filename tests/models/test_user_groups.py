import numpy as np
from scipy.sparse import csr_matrix

from interactions.features import FeatureMatrix
from interactions.training_set import TrainingSet
from models.user_groups import by_activity, group_users


def sizes(counts: list[int]) -> dict[str, int]:
    return {name: int(members.sum()) for name, members in by_activity(np.array(counts)).items()}


def test_users_are_parted_by_activity_into_about_equal_parts() -> None:
    assert sizes([*range(1, 101), 0, 0]) == {"cold": 2, "1-25": 25, "26-50": 25, "51-75": 25, "76-100": 25}


def test_users_alike_share_a_group() -> None:
    assert sizes([3] * 7) == {"3": 7}
    assert sizes([0, 0]) == {"cold": 2}
    assert sizes([]) == {}


def test_nobody_is_in_two_groups_and_nobody_in_none() -> None:
    counts = np.random.default_rng(0).poisson(2, 300)
    assert (np.sum(list(by_activity(counts).values()), axis=0) == 1).all()


def test_every_feature_is_something_to_group_by() -> None:
    matrix = csr_matrix(np.array([[1, 0], [1, 1], [0, 0]], np.float32))
    features = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 0]], np.float32)
    bare = TrainingSet.of(matrix)
    data = TrainingSet(
        matrix,
        bare.categories,
        user_features=FeatureMatrix(csr_matrix(features), ("sex=F", "sex=M", "city=Orël")),
    )
    found = group_users(data, np.array([1, 2]))
    assert {kind: {name: who.tolist() for name, who in groups.items()} for kind, groups in found.items()} == {
        "activity": {"cold": [False, True], "2": [True, False]},
        "sex": {"F": [False, True], "M": [True, False]},
    }
