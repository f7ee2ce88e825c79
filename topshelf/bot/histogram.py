"""Latencies in a bounded memory, however many there are."""

import math
from array import array
from collections.abc import Sequence

STEPS_OF_A_DOUBLING = 32
"""A latency is known to 2.2 %."""
DOUBLINGS = 32
"""From a microsecond to more than an hour."""
STEPS = STEPS_OF_A_DOUBLING * DOUBLINGS


class Histogram:
    """Counts of latencies, in steps that grow with the latency; the largest is kept as it is."""

    def __init__(self) -> None:
        self.count = 0
        self.largest_seconds = 0.0
        self._counts = array("Q", bytes(8 * STEPS))

    def add(self, seconds: float) -> None:
        """Count one latency."""
        step = int(math.log2(seconds * 1e6) * STEPS_OF_A_DOUBLING) if seconds > 1e-6 else 0
        self._counts[min(step, STEPS - 1)] += 1
        self.count += 1
        self.largest_seconds = max(self.largest_seconds, seconds)

    def quantile_seconds(self, share: float) -> float:
        """The latency that ``share`` (0 to 1) of all do not exceed; NaN where none was counted."""
        if not self.count:
            return math.nan
        wanted, seen = share * self.count, 0
        for step, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(_upper_seconds(step), self.largest_seconds)
        return self.largest_seconds

    def doublings(self) -> Sequence[tuple[float, int]]:
        """Upper bound in seconds and count of each doubling, from the first that has some to the last."""
        sums = [
            sum(self._counts[first : first + STEPS_OF_A_DOUBLING])
            for first in range(0, STEPS, STEPS_OF_A_DOUBLING)
        ]
        filled = [number for number, count in enumerate(sums) if count]
        if not filled:
            return []
        return [(2e-6 * 2**number, sums[number]) for number in range(filled[0], filled[-1] + 1)]


def _upper_seconds(step: int) -> float:
    upper: float = 1e-6 * 2 ** ((step + 1) / STEPS_OF_A_DOUBLING)
    return upper
