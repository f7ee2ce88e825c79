import math

import numpy as np
import pytest

from topshelf.bot.histogram import STEPS_OF_A_DOUBLING, Histogram

ERROR = 2 ** (1 / STEPS_OF_A_DOUBLING) - 1


def filled(latencies: list[float]) -> Histogram:
    histogram = Histogram()
    for seconds in latencies:
        histogram.add(seconds)
    return histogram


def test_quantiles_are_those_of_the_latencies_to_a_fiftieth() -> None:
    latencies = np.random.default_rng(1).lognormal(-6, 1.5, 20_000)
    histogram = filled(latencies.tolist())
    for share in (0.5, 0.9, 0.99, 0.999):
        exact = float(np.quantile(latencies, share, method="inverted_cdf"))
        assert exact <= histogram.quantile_seconds(share) * (1 + 1e-9) <= exact * (1 + ERROR) * (1 + 1e-6)
    assert histogram.largest_seconds == histogram.quantile_seconds(1.0) == latencies.max()


def test_the_quickest_and_the_slowest_have_a_place() -> None:
    histogram = filled([0.0, 1e-9, 1e9])
    assert histogram.count == 3
    assert histogram.quantile_seconds(0.5) <= 1.1e-6
    assert histogram.quantile_seconds(1.0) > 3600


def test_without_latencies_there_are_no_quantiles() -> None:
    assert math.isnan(Histogram().quantile_seconds(0.5))
    assert Histogram().doublings() == []


def test_doublings_go_from_the_quickest_to_the_slowest_and_hold_all() -> None:
    found = filled([1.5e-6, 3e-3, 3.5e-3]).doublings()
    assert [upper for upper, _ in found] == pytest.approx([2e-6 * 2**n for n in range(12)])
    assert [count for _, count in found] == [1, *[0] * 10, 2]
