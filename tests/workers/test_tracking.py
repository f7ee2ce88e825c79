"""Runs are logged to Neptune offline, and never in the way of training."""

from pathlib import Path

import pytest

from topshelf.settings import Settings
from workers.tracking import NullTracker, RunInfo, create_tracker

INFO = RunInfo("job-1", "als", {"factors": 8}, "d1", "cpu", 0, "0.1.0")


@pytest.fixture
def folder(settings: Settings) -> Path:
    pytest.importorskip("neptune", reason="the track extra is not installed")
    return settings.data_dir / "neptune"


def offline_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.filterwarnings("default")
def test_a_run_stands_in_the_offline_folder_with_its_fields(settings: Settings, folder: Path) -> None:
    before = Path.cwd()
    with create_tracker(settings).run(INFO) as run:
        run.append("training/Metrics/MAP@10", 0.25)
    logged = offline_bytes(folder / ".neptune" / "offline")
    for expected in (b"hyperparams", b"factors", b"MAP@10", b"0.25"):
        assert expected in logged
    assert Path.cwd() == before


@pytest.mark.filterwarnings("default")
def test_the_reason_of_a_failure_is_logged_and_the_error_goes_on(settings: Settings, folder: Path) -> None:
    with pytest.raises(ValueError, match="the loss is NaN"), create_tracker(settings).run(INFO):
        raise ValueError("the loss is NaN")
    assert b"the loss is NaN" in offline_bytes(folder)


def test_without_a_tracker_nothing_is_logged(tmp_path: Path) -> None:
    with NullTracker().run(INFO) as run:
        run.append("training/loss", 1.0)
        run.log({"any": 1})
    assert not list(tmp_path.iterdir())
