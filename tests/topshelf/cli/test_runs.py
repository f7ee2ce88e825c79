"""The table of training runs and their charts; no tracker and no Redis is needed for either."""

from pathlib import Path

import pytest

from tests.topshelf.cli.outcome import Topshelf
from tests.workers.tracking.conftest import EPOCHS, INFO, write_run
from workers.tracking import RunInfo, Runs

PNG = b"\x89PNG\r\n\x1a\n"
LONG_ID = "nightly-20261123T030000-popular_in_category"


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "data" / "runs")


def write_failure(runs: Runs, run_id: str) -> None:
    log = runs.log(run_id)
    log.begin(RunInfo("als", {"factors": 64}, INFO.dataset, "cpu", 0, "0.1.0"))
    log.end("failed", "TrainingFailed: als diverged at iteration 3")


def test_no_runs_are_said(topshelf: Topshelf) -> None:
    assert topshelf("runs").out.startswith("no runs")
    assert topshelf("runs", "--json").answer == []


def test_runs_are_listed_newest_first_within_80_columns(
    topshelf: Topshelf, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_run(runs, LONG_ID)
    write_failure(runs, "train-als-1")
    shown = topshelf("runs").out
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.index("train-als-1") < shown.index(LONG_ID)
    [row] = [line.split() for line in shown.splitlines() if LONG_ID in line]
    assert row[1:] == ["0.0600", "0.3700", "0.2100", "0.1200"]
    assert "Failed: TrainingFailed: als diverged" in shown


def test_hyperparameters_are_shown_where_they_are_asked_for(topshelf: Topshelf, runs: Runs) -> None:
    write_run(runs, "one")
    assert "lr=0.001, wd=0" in topshelf("runs", "--hyperparam", "lr", "--hyperparam", "wd").out
    header = topshelf("runs", "--wide", "--hyperparam", "lr").out.splitlines()[1]
    assert " lr " in header
    assert " wd " not in header


def test_the_wide_table_has_every_field_under_its_exact_name(topshelf: Topshelf, runs: Runs) -> None:
    write_run(runs, "one")
    write_failure(runs, "two")
    groups, names, *rows = topshelf("runs", "--wide").out.splitlines()
    columns = [
        *("Id", "Creation Time", "Monitoring Time"),
        *("model", "optimizer", "device", "k", "batch_size", "wd", "lr", "enc_dims", "factors"),
        *("General_train_time (min)", "Epoch_train_time (min)", "Model_size (Mb)"),
        *("MAP@10", "MRR@10", "Precision@10", "Recall@10", "Failed"),
    ]
    places = [f" {names} ".index(f" {column} ") for column in columns]
    assert places == sorted(places)
    for group in ("training/hyperparams/", "training/Technical/", "training/Metrics/"):
        assert group in groups
    two, one = rows
    assert two.rstrip().endswith("yes: TrainingFailed: als diverged at iteration 3")
    assert "[600, 200]" in one


def test_runs_are_chosen_by_model_and_number(topshelf: Topshelf, runs: Runs) -> None:
    write_run(runs, "one", epochs=1)
    write_failure(runs, "two")
    assert [run["id"] for run in topshelf("runs", "--json").answer] == ["two", "one"]
    assert [run["id"] for run in topshelf("runs", "--json", "--limit", "1").answer] == ["two"]
    [run] = topshelf("runs", "--json", "--model", "als").answer
    assert (run["id"], run["failed"], run["state"]) == ("two", True, "failed")
    assert run["failure"] == "TrainingFailed: als diverged at iteration 3"


def test_json_holds_the_series(topshelf: Topshelf, runs: Runs) -> None:
    write_run(runs, "one")
    [run] = topshelf("runs", "--json").answer
    assert run["fields"]["training/hyperparams/enc_dims"] == [600, 200]
    assert run["series"]["training/Metrics/MAP@10"][-1] == [EPOCHS + 1, 0.06]


@pytest.mark.parametrize("epochs", [0, EPOCHS])
def test_charts_of_chosen_runs_are_one_png(
    topshelf: Topshelf, runs: Runs, tmp_path: Path, epochs: int
) -> None:
    pytest.importorskip("matplotlib", reason="the track extra is not installed")
    write_run(runs, "one", epochs=epochs)
    write_run(runs, "two", epochs=0)
    write_failure(runs, "three")
    out = tmp_path / "new folder" / "runs.png"
    shown = topshelf("runs", "plot", "one", "two", "three", "--out", out)
    assert shown.exit_code == 0
    assert str(out) in shown.out
    assert out.read_bytes().startswith(PNG)


def test_charts_of_a_run_that_does_not_exist_are_an_error(topshelf: Topshelf, tmp_path: Path) -> None:
    ended = topshelf("runs", "plot", "nobody", "--out", tmp_path / "runs.png", "--json")
    assert ended.exit_code == 3
    assert ended.error["error_key"] == "run_not_found"
    assert not (tmp_path / "runs.png").exists()


def test_a_picture_of_another_kind_is_a_wrong_argument(topshelf: Topshelf, runs: Runs) -> None:
    write_run(runs, "one", epochs=0)
    assert topshelf("runs", "plot", "one", "--out", "runs.jpg").exit_code == 2
