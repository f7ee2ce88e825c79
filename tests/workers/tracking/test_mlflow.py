"""MLflow's names for the fields; what it holds after a synchronisation is in test_synchronise."""

import pytest

from workers.tracking.fields import METRIC_FIELDS, TECHNICAL_FIELDS
from workers.tracking.mlflow import field_name, mlflow_name

NAMES = [
    *METRIC_FIELDS,
    *TECHNICAL_FIELDS,
    "training/loss",
    "a:b",
    "späte Größe",
    "100 %",
    "a-b_c.d",
    "x:at:y",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_one_that_mlflow_takes_and_leads_back(name: str) -> None:
    validation = pytest.importorskip("mlflow.utils.validation", reason="the track extra is not installed")
    assert validation.validate_param_and_metric_name(mlflow_name(name))
    assert field_name(mlflow_name(name)) == name


def test_names_stay_readable() -> None:
    assert mlflow_name("training/Metrics/MAP@10") == "training/Metrics/MAP:at:10"
    assert mlflow_name("training/loss") == "training/loss"
