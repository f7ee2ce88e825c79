"""A folder of runs, and a run in it that went well."""

import math
from pathlib import Path

import pytest

from models.fit_run import Epoch
from topshelf.settings import Settings
from workers.tracking import SERIES_METRICS, RunInfo, Runs
from workers.tracking.fields import ARTIFACT, GENERAL_TRAIN_TIME, MODEL_SIZE

INFO = RunInfo(
    model="variational_ae",
    hyperparams={"batch_size": 500, "wd": 0.0, "lr": 0.001, "enc_dims": [600, 200]},
    dataset="20261123T000000Z-abcdef01",
    device="cpu",
    seed=7,
    code_version="0.1.0+abc",
    optimizer="Adam",
    tags=("pipeline",),
)
EPOCHS = 3
FINAL = dict(zip(SERIES_METRICS, (0.06, 0.37, 0.21, 0.12), strict=True))


def epoch(number: int) -> Epoch:
    value = 1 - math.exp(-number)
    return Epoch(number, 10 / number, 6.0, {**dict.fromkeys(SERIES_METRICS, value), "NDCG@20": value})


def write_run(runs: Runs, run_id: str, *, epochs: int = EPOCHS) -> None:
    """A run as the stages train and evaluate write it."""
    log = runs.log(run_id)
    log.begin(INFO)
    for number in range(1, epochs + 1):
        log.epoch(epoch(number))
    log.set({GENERAL_TRAIN_TIME: 0.5})
    log.trained(FINAL)
    log.set({ARTIFACT: "/data/artifacts/a", MODEL_SIZE: 12.5})
    log.end("succeeded")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({}, data_dir=tmp_path / "data")


@pytest.fixture
def runs(settings: Settings) -> Runs:
    return Runs(settings.data_dir / "runs")
