"""How often the like of one event is told."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

MOST_KINDS = 256
"""Told apart at a time; whoever makes up new ones shares one place for all beyond."""

OTHER = "other"


@dataclass
class _Period:
    began: float
    let_through: int = 0
    held_back: int = 0


class Rate:
    """Lets ``most`` of each kind through in a period, and counts those it holds back; of any thread.

    A period begins with the first of its kind. Memory is bounded, whatever kinds there are.
    """

    def __init__(self, most: int, period_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._period_seconds = period_seconds
        self._clock = clock
        self._periods: dict[Hashable, _Period] = {}
        self._lock = threading.Lock()

    def take(self, kind: Hashable) -> int | None:
        """How many of this kind were held back before this one; None where this one is held back as well."""
        with self._lock:
            now = self._clock()
            period = self._period(kind, now)
            if period.let_through and now - period.began < self._period_seconds:
                if period.let_through >= self._most:
                    period.held_back += 1
                    return None
            else:
                period.began, period.let_through = now, 0
            period.let_through += 1
            held_back, period.held_back = period.held_back, 0
            return held_back

    def held_back(self) -> Iterator[tuple[Hashable, int]]:
        """Each kind of which some were held back since the last was let through, with their number."""
        with self._lock:
            held = [(kind, period.held_back) for kind, period in self._periods.items()]
        return ((kind, number) for kind, number in held if number)

    def __len__(self) -> int:
        return len(self._periods)

    def _period(self, kind: Hashable, now: float) -> _Period:
        if kind not in self._periods and len(self._periods) >= MOST_KINDS:
            self._forget_what_is_over(now)
            if len(self._periods) >= MOST_KINDS:
                kind = OTHER
        return self._periods.setdefault(kind, _Period(now))

    def _forget_what_is_over(self, now: float) -> None:
        """Make room; what nobody was told of is counted with the other kinds."""
        over = [kind for kind, period in self._periods.items() if now - period.began >= self._period_seconds]
        untold = sum(self._periods.pop(kind).held_back for kind in over)
        if untold:
            self._periods.setdefault(OTHER, _Period(now)).held_back += untold
