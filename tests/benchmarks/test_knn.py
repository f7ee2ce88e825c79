"""The benchmark of the online neighbour index, on a small catalogue and a few users."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix, save_npz


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.knn", "--quick", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], timeout=150
    )


@pytest.fixture
def split(tmp_path: Path) -> list[str]:
    """200 users who take every second item of one half of the catalogue or the other."""
    rng = np.random.default_rng(0)
    taken = rng.random((200, 60)) < np.where((np.arange(60) < 30) == (np.arange(200) < 100)[:, None], 0.5, 0)
    in_test = rng.random(taken.shape) < 0.2
    for name, part in (("train", taken & ~in_test), ("test", taken & in_test)):
        save_npz(tmp_path / f"{name}.npz", csr_matrix(part.astype(np.float32)))
    return ["--train", str(tmp_path / "train.npz"), "--test", str(tmp_path / "test.npz")]


def test_the_index_and_its_peers_are_timed_and_valued(split: list[str]) -> None:
    ended = run("--json", *split)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert {row["way"] for row in found["latency"]["microseconds"]} == {"index", "dense"}
    assert found["quality"]["users"] == 20
    recall = {row["name"]: row["recall"] for row in found["quality"]["rows"]}
    assert recall["item_knn default, index of 50"] == pytest.approx(recall["item_knn default, exact"])
    assert len(recall) == 4
    # Some 7 of the 22 or so items of a half that were not given are wanted, and 20 are listed.
    assert min(recall.values()) > 0.7


def test_without_a_split_calls_are_timed() -> None:
    ended = run()
    assert ended.returncode == 0, ended.stderr
    assert "2,000 items with 100 neighbours" in ended.stdout
    assert "Recall" not in ended.stdout


def test_half_a_split_is_refused() -> None:
    assert run("--train", "train.npz").returncode == 2
