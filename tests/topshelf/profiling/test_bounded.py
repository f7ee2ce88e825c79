import time

import pytest

from topshelf.profiling.bounded import BoundedProfiler


def spin(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def test_a_long_task_takes_no_more_records_and_loses_no_time() -> None:
    profiler = BoundedProfiler(most_records=20)
    profiler.start()
    spin(0.4)
    session = profiler.stop()
    assert 5 <= len(session.frame_records) < 20
    assert sum(seconds for _, seconds in session.frame_records) == pytest.approx(0.4, rel=0.4)


def test_what_was_seen_is_in_the_records() -> None:
    profiler = BoundedProfiler()
    profiler.start()
    spin(0.05)
    stacks = [stack for stack, _ in profiler.stop().frame_records]
    assert any(frame.startswith("spin\x00") for stack in stacks for frame in stack)
