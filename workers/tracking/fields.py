"""Names of the fields of a run, alike in every tracker and in ``topshelf runs``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HYPERPARAMS = "training/hyperparams/"
TECHNICAL = "training/Technical/"
METRICS = "training/Metrics/"

LOSS = "training/loss"
DATASET = "training/dataset"
SEED = "training/seed"
CODE_VERSION = "training/code_version"
TAGS = "training/tags"
STUDY = "training/study"
STUDY_BEST = "training/study_best"
ARTIFACT = "training/artifact"
GATE = "training/gate"
FAILED = "training/failed"
FAILURE = "training/failure"

GENERAL_TRAIN_TIME = f"{TECHNICAL}General_train_time (min)"
EPOCH_TRAIN_TIME = f"{TECHNICAL}Epoch_train_time (min)"
MODEL_SIZE = f"{TECHNICAL}Model_size (Mb)"
TECHNICAL_FIELDS = (GENERAL_TRAIN_TIME, EPOCH_TRAIN_TIME, MODEL_SIZE)

SERIES_METRICS = ("MAP@10", "MRR@10", "Precision@10", "Recall@10")
METRIC_FIELDS = tuple(METRICS + name for name in SERIES_METRICS)

HYPERPARAMS_FIRST = ("model", "optimizer", "device", "k", "batch_size", "wd", "lr", "enc_dims")
"""Hyper-parameters in the order they are shown in; the others follow by name."""


@dataclass(frozen=True)
class RunInfo:
    """What is known of a training run before it begins.

    Attributes:
        hyperparams: the model's configuration.
        optimizer: what minimises the loss; empty where nothing is descended.
        k: cut-off the model is evaluated at.
        study: the study a trial belongs to; empty for others.
    """

    model: str
    hyperparams: Mapping[str, Any]
    dataset: str
    device: str
    seed: int
    code_version: str
    optimizer: str = ""
    k: int = 10
    tags: tuple[str, ...] = ()
    study: str = ""

    def fields(self) -> dict[str, Any]:
        """The fields a run begins with."""
        known = {"model": self.model, "optimizer": self.optimizer, "device": self.device, "k": self.k}
        hyperparams = {**known, **self.hyperparams}
        return {
            **{HYPERPARAMS + name: value for name, value in hyperparams.items()},
            DATASET: self.dataset,
            SEED: self.seed,
            CODE_VERSION: self.code_version,
            TAGS: list(self.tags),
            **({STUDY: self.study} if self.study else {}),
        }


def leaf(field: str) -> str:
    """The last part of a field's name, as in ``MAP@10``."""
    return field.rpartition("/")[2]
