"""Runs written down event by event, and read back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.tracking.conftest import EPOCHS, FINAL, INFO, epoch, write_run
from topshelf.errors import RunNotFound
from workers.tracking import Runs


def test_a_run_has_exactly_the_fields_that_trackers_show(runs: Runs) -> None:
    write_run(runs, "job-1")
    run = runs.get("job-1")
    hyperparams = ("model", "optimizer", "device", "k", "batch_size", "wd", "lr", "enc_dims")
    assert set(run.fields) == {
        *(f"training/hyperparams/{name}" for name in hyperparams),
        "training/Technical/General_train_time (min)",
        "training/Technical/Epoch_train_time (min)",
        "training/Technical/Model_size (Mb)",
        *(f"training/{name}" for name in ("dataset", "seed", "code_version", "tags", "artifact", "failed")),
    }
    assert run.fields["training/Technical/Epoch_train_time (min)"] == pytest.approx(0.1)
    names = ("MAP@10", "MRR@10", "Precision@10", "Recall@10")
    assert set(run.series) == {"training/loss", *(f"training/Metrics/{name}" for name in names)}
    assert [point.step for point in run.series["training/loss"]] == [1, 2, 3]


def test_the_last_value_of_a_metric_is_that_of_the_held_out_part(runs: Runs) -> None:
    write_run(runs, "job-1")
    points = runs.get("job-1").series["training/Metrics/MAP@10"]
    assert [point.step for point in points] == [1, 2, 3, EPOCHS + 1]
    assert points[-1].value == FINAL["MAP@10"]


def test_a_resumed_run_goes_on_in_the_same_series_and_adds_up_its_time(runs: Runs) -> None:
    log = runs.log("job-1")
    assert log.begin(INFO) == 0
    log.epoch(epoch(1))
    log.epoch(epoch(2))
    before = runs.get("job-1")
    again = runs.log("job-1")
    assert again.begin(INFO) == pytest.approx(before.last_seen - before.created)
    again.epoch(epoch(2))
    again.epoch(epoch(3))
    run = runs.get("job-1")
    assert [point.step for point in run.series["training/loss"]] == [1, 2, 3]
    assert [event.kind for event in run.events].count("start") == 1


def test_a_line_torn_by_a_crash_is_passed_over_and_the_next_one_is_whole(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    runs.log("job-1").begin(INFO)
    with runs.path("job-1").open("a") as file:
        file.write('{"kind": "point", "at": 1.0, "fie')
    assert len(runs.get("job-1").events) == 1
    runs.log("job-1").end("failed", "the worker died")
    run = runs.get("job-1")
    assert (run.state, run.failure) == ("failed", "the worker died")
    assert "cannot be read" in caplog.text


def test_a_disk_that_refuses_fails_nothing_and_what_it_missed_is_written_later(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    runs.folder.parent.mkdir(parents=True)
    runs.folder.write_text("in the way")
    log = runs.log("job-1")
    log.set({"training/gate": "kept"})
    assert "waits for room" in caplog.text
    runs.folder.unlink()
    log.epoch(epoch(1))
    assert [event.kind for event in runs.get("job-1").events] == ["fields", "point"]


def test_the_end_of_a_run_is_written_once_and_only_for_what_began(runs: Runs) -> None:
    runs.log("never-begun").end("failed", "refused")
    assert runs.find("never-begun") is None
    log = runs.log("job-1")
    log.begin(INFO)
    log.end("succeeded")
    log.end("failed", "publish failed")
    run = runs.get("job-1")
    assert (run.state, run.failure) == ("succeeded", "")


def test_runs_are_listed_newest_first_by_model(runs: Runs) -> None:
    for run_id in ("one", "two", "three"):
        runs.log(run_id).begin(INFO)
    assert [run.id for run in runs.list()] == ["three", "two", "one"]
    assert [run.id for run in runs.list(limit=2)] == ["three", "two"]
    assert runs.list(model="als") == []


@pytest.mark.parametrize("run_id", ["../outside", "a b/ü", "..", "x.jsonl", "50%"])
def test_any_id_has_a_file_of_its_own_inside_the_folder(runs: Runs, run_id: str) -> None:
    runs.log(run_id).begin(INFO)
    assert runs.path(run_id).resolve().parent == runs.folder.resolve()
    assert runs.ids() == [run_id]


def test_an_unknown_run_is_an_error_that_says_where_they_are_listed(runs: Runs) -> None:
    with pytest.raises(RunNotFound, match="topshelf runs"):
        runs.get("nobody")


def test_what_trains_imports_no_tracker() -> None:
    script = (
        "import json, sys, workers.tasks.train, workers.celery_app, topshelf.cli.runs; "
        "print(json.dumps(sorted({'mlflow', 'neptune', 'matplotlib'} & sys.modules.keys())))"
    )
    root = Path(__file__).parents[3]
    ran = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == []
