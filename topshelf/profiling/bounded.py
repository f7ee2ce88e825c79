"""A profiler for what may take hours: the longer it runs, the rarer it looks, within a bounded memory."""

from typing import TYPE_CHECKING

from pyinstrument import Profiler

if TYPE_CHECKING:
    from pyinstrument.stack_sampler import AsyncState

MOST_RECORDS = 20_000
"""Some twenty megabytes; a page of it opens in a second."""
INTERVAL_SECONDS = 0.001


class BoundedProfiler(Profiler):
    """pyinstrument's, of one thread; where ``most_records`` are kept, every second one goes.

    What is dropped leaves its time to the record after it, so that the sum stays.
    """

    def __init__(self, most_records: int = MOST_RECORDS) -> None:
        super().__init__(INTERVAL_SECONDS, async_mode="disabled")
        self._most_records = most_records
        self._wanted_seconds = 0.0
        self._unrecorded_seconds = 0.0

    def _sampler_saw_call_stack(
        self, call_stack: list[str], time_since_last_sample: float, async_state: "AsyncState | None"
    ) -> None:
        seconds = self._unrecorded_seconds + time_since_last_sample
        if self._active_session is None or seconds < self._wanted_seconds:
            self._unrecorded_seconds = seconds
            return
        self._unrecorded_seconds = 0.0
        super()._sampler_saw_call_stack(call_stack, seconds, async_state)
        records = self._active_session.frame_records
        if len(records) >= self._most_records:
            pairs = zip(records[::2], records[1::2], strict=False)
            records[:] = [(stack, first + second) for (_, first), (stack, second) in pairs]
            self._wanted_seconds = max(INTERVAL_SECONDS, self._wanted_seconds) * 2
