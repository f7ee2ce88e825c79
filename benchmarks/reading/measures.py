"""What a run of load measured, and how runs become figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Load:
    """One run of a load generator.

    Attributes:
        requests: answers that came, of whatever status.
        failed: answers that were not 2xx, connections that broke, answers that never came.
        p50_ms, p99_ms, p999_ms: latency percentiles; NaN where nothing was answered.
        generator_cpu_seconds: processor time of the generator itself.
    """

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    generator_cpu_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Turn:
    """One side's turn in one round: the load it was given and the processor time it took for it."""

    load: Load
    cpu_seconds: float

    @property
    def cpu_us(self) -> float:
        """Processor time of a request, in microseconds."""
        return 1e6 * self.cpu_seconds / self.load.requests if self.load.requests else math.nan


@dataclass(frozen=True)
class Figures:
    """One side over all rounds: medians, and totals of requests and failures."""

    per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    cpu_us: float
    requests: int
    failed: int


def percentiles_ms(latencies_seconds: ArrayLike) -> tuple[float, float, float]:
    """p50, p99 and p99.9 in milliseconds; NaN for no latencies."""
    latencies = np.asarray(latencies_seconds, np.float64)
    if not latencies.size:
        return math.nan, math.nan, math.nan
    p50, p99, p999 = (1e3 * np.percentile(latencies, [50, 99, 99.9])).tolist()
    return p50, p99, p999


def figures(turns: Sequence[Turn]) -> Figures:
    """Medians over a side's turns."""
    loads = [turn.load for turn in turns]
    return Figures(
        per_second=median(load.per_second for load in loads),
        p50_ms=median(load.p50_ms for load in loads),
        p99_ms=median(load.p99_ms for load in loads),
        p999_ms=median(load.p999_ms for load in loads),
        cpu_us=median(turn.cpu_us for turn in turns),
        requests=sum(load.requests for load in loads),
        failed=sum(load.failed for load in loads),
    )


def speed_ratio(turns: Sequence[Turn], over: Sequence[Turn]) -> float:
    """Requests/s of one side over another's: the median of the ratios within each round."""
    return _ratio([turn.load.per_second for turn in turns], [turn.load.per_second for turn in over])


def p99_ratio(turns: Sequence[Turn], over: Sequence[Turn]) -> float:
    """p99 of one side over another's: the median of the ratios within each round."""
    return _ratio([turn.load.p99_ms for turn in turns], [turn.load.p99_ms for turn in over])


def _ratio(values: Sequence[float], over: Sequence[float]) -> float:
    return median(value / base if base else math.nan for value, base in zip(values, over, strict=True))
