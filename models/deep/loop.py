"""The one training loop of the torch models: epochs, early stopping, checkpoints, progress."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.deep.checkpoints import Checkpoints, Position, Snapshot, optimizer_tensors, restore_optimizer
from models.deep.devices import generator, half_precision, reseeded
from models.fit_run import Epoch, FitRun
from topshelf.errors import TrainingFailed

REPORT_SECONDS = 0.2
"""Least time between two reports within an epoch."""

CHECKPOINT_SECONDS = 60.0
"""Time between two checkpoints within an epoch; there is one after every epoch anyway."""


@dataclass(frozen=True)
class Schedule:
    """How long to train, and in what portions.

    batch_size: examples of a batch, at most; patience: epochs without a better ``metric`` after which to
    stop, 0 for never; mixed_precision: bfloat16 products on a CPU too.
    """

    epochs: int
    batch_size: int
    patience: int = 0
    metric: str = "NDCG@10"
    mixed_precision: bool = False


@dataclass(frozen=True)
class Batch:
    """Some of the examples: their numbers (b,) int64 on the device, how many updates there were before,
    and the batch's own random numbers, the only ones a step may use.
    """

    examples: Tensor
    update: int
    generator: torch.Generator


Step = Callable[[Batch], Tensor]
"""The mean loss of a batch, a float32 scalar to be differentiated; called within autocast."""

Validate = Callable[[], Mapping[str, float]]
"""Metrics named as in ``models.metrics``; called without gradients, the network in evaluation mode."""


@dataclass(frozen=True)
class Outcome:
    """The epoch whose weights the network has now, and what was measured after it."""

    best_epoch: int
    metrics: Mapping[str, float]


class TrainingLoop:
    """Trains a network on examples 0 .. n_examples - 1.

    The order of an epoch and the random numbers of a batch are functions of the seed, the epoch and the
    batch. So a training that goes on from a checkpoint ends where an undisturbed one does, bit for bit on
    a CPU with the same number of threads.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        step: Step,
        *,
        n_examples: int,
        seed: int,
        schedule: Schedule,
        validate: Validate | None = None,
    ) -> None:
        self._name = name
        self._network = network
        self._optimizer = optimizer
        self._step = step
        self._n_examples = n_examples
        self._seed = seed
        self._schedule = schedule
        self._validate = validate
        self._device = next(network.parameters()).device
        self._n_batches = max(1, math.ceil(n_examples / schedule.batch_size))
        self._generator = torch.Generator(self._device)
        self._position = Position()
        self._best: dict[str, Tensor] = {}
        self._saved_at = self._reported_at = 0.0

    def run(self, run: FitRun, fingerprint: str) -> Outcome:
        """Train, or go on with the training of this fingerprint; the network ends with the best weights.

        Raises:
            TrainingFailed: a loss or a weight is NaN or infinite.
            JobCancelled: from ``run``.
        """
        checkpoints = Checkpoints(run.checkpoints, fingerprint) if run.checkpoints is not None else None
        if checkpoints is not None:
            self._resume(checkpoints.load())
        self._saved_at = time.monotonic()
        while not self._is_over():
            self._run_epoch(run, checkpoints)
        if self._best:
            self._network.load_state_dict(self._best)
        return Outcome(self._position.best_epoch, dict(self._position.best_metrics))

    def _is_over(self) -> bool:
        position, schedule = self._position, self._schedule
        waited = position.epochs - position.best_epoch
        stopped = self._validate is not None and 0 < schedule.patience <= waited
        return position.epochs >= schedule.epochs or stopped

    def _run_epoch(self, run: FitRun, checkpoints: Checkpoints | None) -> None:
        position = self._position
        number = position.epochs + 1
        order = torch.randperm(self._n_examples, generator=generator(torch.device("cpu"), self._seed, number))
        parts = order.to(self._device).tensor_split(self._n_batches)
        began = time.monotonic() - position.seconds
        self._network.train()
        while position.batches < self._n_batches:
            position.loss_sum += self._update(parts[position.batches], number)
            position.batches += 1
            position.seconds = time.monotonic() - began
            self._report(run)
            if checkpoints is not None and position.batches < self._n_batches and self._is_due():
                self._save(checkpoints)
        self._check_weights(number)
        metrics = self._measure()
        seconds, loss = time.monotonic() - began, position.loss_sum / self._n_batches
        self._end_epoch(number, metrics)
        if checkpoints is not None:
            self._save(checkpoints)
        run.epoch_done(Epoch(number, loss, seconds, metrics))

    def _update(self, examples: Tensor, epoch: int) -> float:
        batch = self._position.batches
        update = (epoch - 1) * self._n_batches + batch
        numbers = reseeded(self._generator, self._seed, epoch, batch + 1)
        with half_precision(self._device, on_cpu=self._schedule.mixed_precision):
            loss = self._step(Batch(examples, update, numbers))
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingFailed(
                f"{self._name} diverged: the loss is {value} in epoch {epoch}, batch {batch + 1} of "
                f"{self._n_batches}; lower lr, or raise batch_size"
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return value

    def _measure(self) -> Mapping[str, float]:
        if self._validate is None:
            return {}
        self._network.eval()
        with torch.no_grad():
            return self._validate()

    def _end_epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        position = self._position
        position.epochs, position.batches, position.loss_sum, position.seconds = number, 0, 0.0, 0.0
        score = metrics.get(self._schedule.metric)
        if score is None:
            position.best_epoch = number
            return
        if position.best_score is None or score > position.best_score:
            position.best_epoch, position.best_score = number, score
            position.best_metrics = dict(metrics)
            self._best = {name: value.clone() for name, value in self._network.state_dict().items()}

    def _report(self, run: FitRun) -> None:
        now, position = time.monotonic(), self._position
        if now - self._reported_at < REPORT_SECONDS and position.batches < self._n_batches:
            return
        self._reported_at = now
        done = position.epochs * self._n_batches + position.batches
        run.report(
            done / (self._schedule.epochs * self._n_batches),
            f"{self._name}: epoch {position.epochs + 1} of {self._schedule.epochs}, "
            f"batch {position.batches} of {self._n_batches}",
        )

    def _is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS

    def _save(self, checkpoints: Checkpoints) -> None:
        checkpoints.save(
            Snapshot(
                self._position, self._network.state_dict(), optimizer_tensors(self._optimizer), self._best
            )
        )
        self._saved_at = time.monotonic()

    def _resume(self, snapshot: Snapshot | None) -> None:
        if snapshot is None:
            return
        self._network.load_state_dict(snapshot.network)
        restore_optimizer(self._optimizer, snapshot.optimizer)
        self._position = snapshot.position
        self._best = {name: value.to(self._device) for name, value in snapshot.best.items()}

    def _check_weights(self, epoch: int) -> None:
        for name, value in self._network.state_dict().items():
            if not bool(torch.isfinite(value).all()):
                raise TrainingFailed(
                    f"{self._name} diverged: {name} is NaN or infinite after epoch {epoch}, batch "
                    f"{self._n_batches} of {self._n_batches}; lower lr, or raise batch_size"
                )
