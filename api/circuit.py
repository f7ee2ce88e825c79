"""Keeps requests from waiting for a Redis that is away."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.metrics import Metrics
from topshelf.errors import StoreUnavailable

logger = logging.getLogger(__name__)

READ_SECONDS = 0.25
"""How long one request waits for Redis before it is answered from memory."""


class Circuit:
    """Opens at the first read that fails; closed again by whoever finds Redis back."""

    def __init__(self, metrics: Metrics, *, timeout_seconds: float = READ_SECONDS) -> None:
        self._metrics = metrics
        self._timeout_seconds = timeout_seconds
        self._away_since: float | None = None

    @property
    def away_seconds(self) -> float | None:
        """How long Redis has not answered; None while it does."""
        return None if self._away_since is None else time.monotonic() - self._away_since

    def open(self) -> None:
        """Note that Redis does not answer."""
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.warning("Redis does not answer; lists come from memory")
            self._metrics.store_failed()

    def close(self) -> None:
        """Note that Redis answers."""
        if self._away_since is not None:
            logger.warning("Redis answers again after %.1f s", self.away_seconds)
            self._away_since = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Guards one read.

        Raises:
            StoreUnavailable: Redis is known to be away, or did not answer in time.
        """
        if self._away_since is not None:
            raise StoreUnavailable("Redis did not answer a moment ago")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                yield
        except (StoreUnavailable, TimeoutError) as error:
            self.open()
            raise StoreUnavailable("Redis did not answer in time") from error
