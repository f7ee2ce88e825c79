import asyncio

import pytest

from api.circuit import Circuit
from api.metrics import Metrics
from topshelf.errors import StoreError, StoreUnavailable


def circuit(timeout_seconds: float = 10) -> Circuit:
    return Circuit(Metrics(), timeout_seconds=timeout_seconds)


async def read(guard: Circuit, error: Exception | None = None) -> str:
    async with guard.reading():
        if error:
            raise error
        return "row"


def test_a_read_that_works_passes() -> None:
    assert asyncio.run(read(circuit())) == "row"


def test_after_a_failure_nothing_is_read_until_somebody_finds_the_store_back() -> None:
    guard = circuit()
    with pytest.raises(StoreUnavailable):
        asyncio.run(read(guard, StoreUnavailable("gone")))
    assert guard.away_seconds is not None
    with pytest.raises(StoreUnavailable, match="a moment ago"):
        asyncio.run(read(guard))
    guard.close()
    assert asyncio.run(read(guard)) == "row"
    assert guard.away_seconds is None


def test_a_read_that_takes_too_long_opens_the_circuit() -> None:
    async def wait(guard: Circuit) -> None:
        async with guard.reading():
            await asyncio.Event().wait()

    guard = circuit(timeout_seconds=0.01)
    with pytest.raises(StoreUnavailable):
        asyncio.run(wait(guard))
    assert guard.away_seconds is not None


def test_a_store_that_refuses_is_not_away() -> None:
    guard = circuit()
    with pytest.raises(StoreError):
        asyncio.run(read(guard, StoreError("out of memory")))
    assert guard.away_seconds is None
