"""Waiting for what another process or thread brings about."""

import time
from collections.abc import Callable

import pytest

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.02


def wait_until(
    condition: Callable[[], bool], what: str = "what is waited for", seconds: float = PATIENCE_SECONDS
) -> float:
    """Poll until a condition holds; returns the seconds that took, and fails the test after ``seconds``."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            pytest.fail(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started
