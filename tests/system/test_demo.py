"""The demo, as ``make demo`` runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from topshelf.settings import process_environment


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = process_environment() | {
        "TOPSHELF_DATA_DIR": str(folder / "data"),
        "TOPSHELF_CACHE_DIR": str(folder / "cache"),
        "COLUMNS": "100",
    }
    return subprocess.run(
        [sys.executable, "-m", "topshelf", "demo", "--exit", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.timeout(360)
def test_the_demo_prints_metrics_titles_and_a_call_and_ends_well(tmp_path: Path, test_data: Path) -> None:
    done = demo(tmp_path, "--dataset", str(test_data / "ml-100k"))
    assert done.returncode == 0, done.stderr + done.stdout
    for expected in (
        "100,000 interactions",
        "NDCG",
        "als recommends",
        "Schindler's List",
        "curl -i -H",
        "/reco/als/1",
    ):
        assert expected in done.stdout


@pytest.mark.timeout(360)
def test_a_demo_on_a_file_that_is_not_there_ends_with_the_datas_exit_code(tmp_path: Path) -> None:
    done = demo(tmp_path, "--dataset", str(tmp_path / "nowhere.csv"))
    assert done.returncode == 3
    assert "nowhere.csv" in done.stderr
