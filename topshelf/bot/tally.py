"""What a bot has sent and what came back."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from topshelf.bot.histogram import Histogram

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
TOO_MANY, SERVER_ERROR = 429, 500


@dataclass
class Tally:
    """Counts of one run.

    Attributes:
        statuses: answers by status.
        sources: answers by ``X-Reco-Source``, where they have one.
        errors: what is no answer: ``timeout``, ``refused`` (no connection), ``broken`` (it ended before the
            answer did), ``not HTTP``.
        profiled: answers that name a profile.
        unsent: requests that, when the run ended, were due for longer than one may wait for its answer.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    latencies: Histogram = field(default_factory=Histogram)
    profiled: int = 0
    unsent: int = 0
    seconds: float = 0.0

    @property
    def answered(self) -> int:
        """Answers of any status."""
        return self.latencies.count

    @property
    def per_second(self) -> float:
        """Answers a second over the whole run."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        """Answers that say the reader failed or refused (5xx, 429), and requests without an answer."""
        refused = sum(
            count for status, count in self.statuses.items() if status >= SERVER_ERROR or status == TOO_MANY
        )
        return refused + self.errors.total() + self.unsent

    @property
    def fine(self) -> bool:
        """Whether something was answered well and nothing failed."""
        return not self.failed and any(200 <= status < 300 for status in self.statuses)

    def quantiles_ms(self) -> dict[str, float | None]:
        """Latencies in milliseconds; None before the first answer."""
        if not self.answered:
            return dict.fromkeys([*QUANTILES, "max"])
        found: dict[str, float | None] = {
            name: 1e3 * self.latencies.quantile_seconds(share) for name, share in QUANTILES.items()
        }
        return found | {"max": 1e3 * self.latencies.largest_seconds}

    def as_json(self) -> dict[str, Any]:
        """Everything, as one object."""
        return {
            "seconds": round(self.seconds, 3),
            "answered": self.answered,
            "per_second": round(self.per_second, 1),
            "failed": self.failed,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "sources": dict(self.sources),
            "errors": dict(self.errors),
            "unsent": self.unsent,
            "profiled": self.profiled,
            "latency_ms": {
                name: None if value is None else round(value, 3)
                for name, value in self.quantiles_ms().items()
            },
            "histogram": [
                {"up_to_ms": round(1e3 * upper, 3), "answers": count}
                for upper, count in self.latencies.doublings()
            ],
        }
