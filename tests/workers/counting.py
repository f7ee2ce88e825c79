"""A model with epochs, a checkpoint and a choice of epochs, that can lose its server in mid-training."""

from typing import Any, ClassVar

from interactions.training_set import TrainingSet
from models.als import Als, AlsConfig
from models.base import ModelConfig
from models.fit_run import Epoch, FitRun
from topshelf.errors import StoreUnavailable

EPOCH_SECONDS = 6.0
BEST_EPOCH = 2


class CountingConfig(AlsConfig):
    epochs: int = 4
    early_stopping: bool = True


class Counting(Als):
    """Takes the second epoch for its best."""

    name = "counting"
    config_class: ClassVar[type[ModelConfig]] = CountingConfig
    optimizer = "Adam"
    lost_after: ClassVar[int] = 0
    """The epoch after which the next fit loses its server, once."""
    fits: ClassVar[list[dict[str, Any]]] = []

    config: CountingConfig

    def refit_config(self) -> ModelConfig:
        self._fitted_shape()
        if not self.config.early_stopping:
            return self.config
        return self.config.model_copy(update={"epochs": BEST_EPOCH, "early_stopping": False})

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        assert run.checkpoints is not None
        run.checkpoints.mkdir(parents=True, exist_ok=True)
        done = run.checkpoints / "done"
        first = int(done.read_text()) + 1 if done.exists() else 1
        for number in range(first, self.config.epochs + 1):
            run.epoch_done(Epoch(number, 1 / number, EPOCH_SECONDS, {"MAP@10": number / 100}))
            done.write_text(str(number))
            if number == Counting.lost_after:
                Counting.lost_after = 0
                raise StoreUnavailable("the server is away")
        Counting.fits.append(self.config.model_dump())
        super()._fit(data, FitRun())
