import numpy as np
import pytest
from scipy.stats import bootstrap

from models.bootstrap import mean_intervals


def test_intervals_are_scipys() -> None:
    values = np.random.default_rng(1).exponential(size=(2, 400))
    found = mean_intervals(values, resamples=4000)
    for row, (low, high) in zip(values, found, strict=True):
        expected = bootstrap((row,), np.mean, method="percentile", n_resamples=4000, rng=2)
        width = expected.confidence_interval.high - expected.confidence_interval.low
        assert low == pytest.approx(expected.confidence_interval.low, abs=0.1 * width)
        assert high == pytest.approx(expected.confidence_interval.high, abs=0.1 * width)


def test_less_confidence_is_a_narrower_interval() -> None:
    values = np.random.default_rng(1).random((1, 50))
    (wide,), (narrow,) = mean_intervals(values), mean_intervals(values, confidence=0.5)
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]


def test_one_user_leaves_nothing_to_chance() -> None:
    assert mean_intervals(np.array([[0.25], [1.0]])).tolist() == [[0.25, 0.25], [1.0, 1.0]]


def test_a_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).random((3, 40))
    np.testing.assert_array_equal(mean_intervals(values, seed=5), mean_intervals(values, seed=5))
    assert not np.array_equal(mean_intervals(values, seed=5), mean_intervals(values, seed=6))
