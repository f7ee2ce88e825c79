"""The benchmark of ranking quality, on a split of a few users."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LINES = {"train.txt": "0 0 1 2\n1 0 1 3\n2 0 2 3\n3 0 1\n", "test.txt": "0 3\n1 2\n2 1\n3 2 3\n"}


@pytest.fixture
def split(tmp_path: Path) -> list[str]:
    for name, text in LINES.items():
        (tmp_path / name).write_text(text)
    return ["--train", str(tmp_path / "train.txt"), "--test", str(tmp_path / "test.txt")]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.quality", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], timeout=120
    )


def test_a_model_on_a_split_is_a_row(split: list[str]) -> None:
    ended = run("--model", "item_knn", "--param", "neighbours=10", *split, "--json")
    assert ended.returncode == 0, ended.stderr
    row = json.loads(ended.stdout)
    assert (row["model"], row["params"], row["metrics"]["users"]) == ("item_knn", {"neighbours": 10}, 4)
    assert row["metrics"]["Recall@20"] == 1
    assert row["peak_gb"] > 0


def test_a_model_that_cannot_be_built_is_said_and_the_others_go_on(split: list[str]) -> None:
    ended = run("--model", "als", "--model", "popular", "--param", "factor=8", *split)
    assert ended.returncode == 1
    assert "did you mean 'factors'" in ended.stdout


def test_a_split_has_to_be_named() -> None:
    ended = run("--model", "als")
    assert ended.returncode == 2
    assert "give either --train FILE and --test FILE, or --movielens-100k FOLDER" in ended.stderr
