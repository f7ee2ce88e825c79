from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import registry
from topshelf.settings import Settings
from topshelf.settings.checks import faults_of
from workers.checks import WORKER_CHECKS


def faults(tmp_path: Path, **fields: Any) -> list[str]:
    return faults_of(Settings.from_environment({}, data_dir=tmp_path / "data", **fields), WORKER_CHECKS)


def test_the_defaults_pass(tmp_path: Path) -> None:
    assert faults(tmp_path) == []


def test_all_that_is_wrong_is_said(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"blokc": [1]}')
    found = faults(tmp_path, models=("alz", "als"), nightly_cron="99 3 * * *", rules_file=rules)
    assert len(found) == 3
    for words in ("did you mean 'als'?", "99", "blokc"):
        assert any(words in line for line in found)


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = replace(registry.model_entry("dssm"), library=registry.Library("no_such_library", "deep"))
    monkeypatch.setitem(registry._MODELS, "dssm", missing)


@pytest.mark.usefixtures("no_torch")
def test_a_model_whose_library_is_not_installed_names_the_extra(tmp_path: Path) -> None:
    assert faults(tmp_path, models=("dssm",)) == [
        "dssm needs no_such_library, which is not installed; install topshelf[deep]"
    ]


@pytest.mark.usefixtures("no_torch")
def test_a_worker_without_the_library_that_makes_every_models_lists_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, models=("dssm",), queues=("cpu",)) == []
    assert len(faults(tmp_path, models=("dssm",), queues=("cpu",), chunk_queue="cpu")) == 1


@pytest.mark.usefixtures("no_torch")
def test_the_library_of_a_blends_component_is_wanted_where_the_blend_is_trained(tmp_path: Path) -> None:
    file = tmp_path / "schedule.toml"
    file.write_text(
        '[schedules.mixed]\ncron = ""\nmodels = ["blend"]\n'
        '[schedules.mixed.config.blend]\ncomponents = [{ model = "als" }, { model = "dssm" }]\n'
    )
    assert faults(tmp_path, schedule_file=file, queues=("gpu",)) == []
    [said] = faults(tmp_path, schedule_file=file, queues=("cpu",))
    assert said.startswith("dssm needs no_such_library")
