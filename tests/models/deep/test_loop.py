"""The training loop: stopping, keeping the best, resuming, and saying what went wrong."""

from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path

import pytest
import torch
from torch import nn

from models.deep import loop
from models.deep.checkpoints import STATE_FILE
from models.deep.loop import Batch, Outcome, Schedule, TrainingLoop
from models.fit_run import Epoch, FitRun
from topshelf.errors import JobCancelled, TrainingFailed

N_EXAMPLES = 23


class Trial:
    """A linear fit to noisy data: small, but with everything that a training has."""

    def __init__(self, schedule: Schedule, *, seed: int = 0, scores: list[float] | None = None) -> None:
        self.network = nn.Linear(3, 1)
        with torch.no_grad():
            self.network.weight.zero_()
            self.network.bias.zero_()
        self.inputs = torch.randn(N_EXAMPLES, 3, generator=torch.Generator().manual_seed(1))
        self.seen: list[list[int]] = []
        self.epochs: list[Epoch] = []
        self.reports: list[tuple[float, str]] = []
        self.scores = scores
        self.weights: list[list[float]] = []
        self.training = TrainingLoop(
            "trial",
            self.network,
            torch.optim.Adam(self.network.parameters(), lr=0.1),
            self.step,
            n_examples=N_EXAMPLES,
            seed=seed,
            schedule=schedule,
            validate=None if scores is None else self.validate,
        )

    def step(self, batch: Batch) -> torch.Tensor:
        self.seen.append(batch.examples.tolist())
        noise = torch.randn(len(batch.examples), 1, generator=batch.generator)
        inputs = self.inputs[batch.examples]
        wanted = inputs.sum(dim=1, keepdim=True) + noise
        predicted: torch.Tensor = self.network(inputs).float()
        return (predicted - wanted).square().mean()

    def validate(self) -> Mapping[str, float]:
        self.weights.append(self.weight())
        return {"NDCG@10": (self.scores or [])[len(self.weights) - 1]}

    def run(self, checkpoints: Path | None = None, stop: Callable[[str], bool] | None = None) -> Outcome:
        def progress(share: float, message: str) -> None:
            self.reports.append((share, message))
            if stop is not None and stop(message):
                raise JobCancelled(message)

        return self.training.run(FitRun(progress, self.epochs.append, checkpoints), "the fingerprint")

    def weight(self) -> list[float]:
        return [*self.network.weight.flatten().tolist(), *self.network.bias.tolist()]


@pytest.fixture(autouse=True)
def _report_and_save_at_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)


def test_an_epoch_takes_every_example_once_in_batches_of_nearly_one_size() -> None:
    trial = Trial(Schedule(epochs=2, batch_size=5))
    trial.run()
    assert [len(batch) for batch in trial.seen] == [5, 5, 5, 4, 4] * 2
    first, second = (list(chain(*trial.seen[part])) for part in (slice(5), slice(5, None)))
    assert sorted(first) == sorted(second) == list(range(N_EXAMPLES))
    assert first != second


def test_the_same_seed_trains_the_same_and_another_does_not() -> None:
    weights = []
    for seed in (4, 4, 5):
        trial = Trial(Schedule(epochs=3, batch_size=5), seed=seed)
        trial.run()
        weights.append(trial.weight())
    assert weights[0] == weights[1] != weights[2]


def test_each_epoch_is_told_with_its_loss_and_metrics() -> None:
    trial = Trial(Schedule(epochs=3, batch_size=5), scores=[0.1, 0.3, 0.2])
    trial.run()
    assert [epoch.number for epoch in trial.epochs] == [1, 2, 3]
    assert [epoch.metrics["NDCG@10"] for epoch in trial.epochs] == [0.1, 0.3, 0.2]
    assert all(epoch.loss is not None and epoch.seconds > 0 for epoch in trial.epochs)


def test_the_best_weights_are_kept() -> None:
    trial = Trial(Schedule(epochs=4, batch_size=5), scores=[0.1, 0.3, 0.2, 0.3])
    outcome = trial.run()
    assert (outcome.best_epoch, outcome.metrics) == (2, {"NDCG@10": 0.3})
    assert trial.weight() == trial.weights[1] != trial.weights[3]


def test_training_stops_when_patience_is_over() -> None:
    trial = Trial(Schedule(epochs=50, batch_size=5, patience=2), scores=[0.1, 0.2, 0.1, 0.2, 0.9])
    assert trial.run().best_epoch == 2
    assert len(trial.epochs) == 4


def test_without_a_metric_the_last_epoch_is_the_best() -> None:
    assert Trial(Schedule(epochs=3, batch_size=5, patience=1)).run().best_epoch == 3


def test_progress_grows_and_names_epoch_and_batch() -> None:
    trial = Trial(Schedule(epochs=2, batch_size=5))
    trial.run()
    shares = [share for share, _ in trial.reports]
    assert shares == [number / 10 for number in range(1, 11)]
    assert trial.reports[6][1] == "trial: epoch 2 of 2, batch 2 of 5"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_epoch_and_batch(value: float) -> None:
    trial = Trial(Schedule(epochs=3, batch_size=5))
    step, broken = trial.step, torch.tensor(value, requires_grad=True)
    trial.training._step = lambda batch: broken if batch.update == 7 else step(batch)
    with pytest.raises(
        TrainingFailed, match=r"trial diverged: the loss is \w+ in epoch 2, batch 3 of 5; lower"
    ):
        trial.run()


def test_a_weight_that_is_no_number_fails_though_no_loss_saw_it() -> None:
    trial = Trial(Schedule(epochs=1, batch_size=30))
    trial.training._step = lambda _: (trial.network.weight.sum() * 0).sqrt()
    with pytest.raises(TrainingFailed, match="weight is NaN or infinite after epoch 1"):
        trial.run()


@pytest.mark.parametrize("where", ["epoch 2 of 4, batch 2", "epoch 2 of 4, batch 5", "epoch 4 of 4, batch 4"])
def test_a_training_that_was_cut_short_ends_as_if_it_had_not_been(where: str, tmp_path: Path) -> None:
    schedule, scores = Schedule(epochs=4, batch_size=5), [0.1, 0.4, 0.3, 0.2]
    undisturbed, cut = Trial(schedule, scores=scores), Trial(schedule, scores=scores)
    undisturbed.run()
    with pytest.raises(JobCancelled):
        cut.run(tmp_path, stop=lambda message: where in message)
    done = len(cut.epochs)
    resumed = Trial(schedule, scores=scores[done:])
    outcome = resumed.run(tmp_path)
    assert resumed.weight() == undisturbed.weight()
    assert outcome == Outcome(2, {"NDCG@10": 0.4})
    assert [epoch.number for epoch in resumed.epochs] == list(range(done + 1, 5))
    assert [epoch.loss for epoch in cut.epochs + resumed.epochs] == [e.loss for e in undisturbed.epochs]
    assert len(cut.seen) + len(resumed.seen) == len(undisturbed.seen) + 1


def test_a_training_that_was_over_does_nothing_again(tmp_path: Path) -> None:
    first, second = (Trial(Schedule(epochs=3, batch_size=5), scores=[0.1, 0.3, 0.2]) for _ in range(2))
    assert first.run(tmp_path) == second.run(tmp_path)
    assert second.weight() == first.weight()
    assert (second.epochs, second.seen) == ([], [])


def test_a_damaged_checkpoint_is_left_aside_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (Trial(Schedule(epochs=2, batch_size=5)) for _ in range(2))
    first.run(tmp_path)
    (tmp_path / STATE_FILE).write_text("{")
    second.run(tmp_path)
    assert "is damaged, starting anew" in caplog.text
    assert len(second.epochs) == 2
    assert second.weight() == first.weight()
