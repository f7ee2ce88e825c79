"""What a fit is given beside its data: whom to report to, and where to keep checkpoints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Progress = Callable[[float, str], None]
"""Called with the share done (0..1) and a message; may raise JobCancelled to stop the work."""


@dataclass(frozen=True)
class Epoch:
    """One epoch that is over: its number from 1, mean training loss, seconds, and what was measured after it.

    ``metrics`` is empty where nothing was measured; its names are those of ``models.metrics``.
    """

    number: int
    loss: float | None
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)


OnEpoch = Callable[[Epoch], None]
"""Called after each epoch, in order; after a resume, from the first one that was not done yet."""


@dataclass(frozen=True)
class FitRun:
    """The listeners and the checkpoint folder of one call of ``fit``; every part may be missing."""

    progress: Progress | None = None
    on_epoch: OnEpoch | None = None
    checkpoints: Path | None = None

    def report(self, share: float, message: str) -> None:
        """Tell how far the training is."""
        if self.progress is not None:
            self.progress(share, message)

    def epoch_done(self, epoch: Epoch) -> None:
        """Tell that an epoch is over."""
        if self.on_epoch is not None:
            self.on_epoch(epoch)

    def part(self, begin: float, parts: int) -> "FitRun":
        """The run of one of ``parts`` equal steps, starting at the share ``begin``; it reports no epochs."""
        return FitRun(lambda share, message: self.report(begin + share / parts, message))
