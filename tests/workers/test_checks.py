from pathlib import Path
from typing import Any

import pytest

from models import registry
from topshelf.settings import Settings
from topshelf.settings.checks import faults_of
from workers.checks import CHECKS


def faults(tmp_path: Path, **fields: Any) -> list[str]:
    return faults_of(Settings.from_environment({}, data_dir=tmp_path / "data", **fields), CHECKS)


def test_the_defaults_pass(tmp_path: Path) -> None:
    assert faults(tmp_path) == []


def test_all_that_is_wrong_is_said(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"blokc": [1]}')
    found = faults(tmp_path, models=("alz", "als"), nightly_cron="99 3 * * *", rules_file=rules)
    assert len(found) == 3
    for words in ("did you mean 'als'?", "99", "blokc"):
        assert any(words in line for line in found)


def test_a_model_whose_library_is_not_installed_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._LIBRARIES, "models.deep", ("no_such_library", "deep"))
    assert faults(tmp_path, models=("dssm",)) == [
        "dssm needs no_such_library, which is not installed; install topshelf[deep]"
    ]
