"""Knows whether Redis answers."""

import logging
import time

from api.metrics import Metrics

logger = logging.getLogger(__name__)


class Circuit:
    """Opens at the first read that fails; closed again by whoever finds Redis back."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
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
