"""``topshelf backup`` and ``topshelf restore``, from the shell's point of view."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from interactions.columns import ITEM, USER
from interactions.datasets import Datasets
from store.embedded import EmbeddedRedis, free_port
from tests.topshelf.cli.outcome import Topshelf
from topshelf.settings import Settings


@pytest.fixture
def backup(on_redis: None, topshelf: Topshelf, tmp_path: Path) -> Path:
    """A backup of a system that has one dataset."""
    Datasets(tmp_path / "data" / "datasets").create(pl.DataFrame({USER: [1, 2], ITEM: [5, 6]}))
    made = topshelf("backup", tmp_path / "backup.tar", "--json")
    assert made.exit_code == 0
    assert made.answer["n_keys"] == 0
    return tmp_path / "backup.tar"


def test_a_second_backup_of_the_same_name_is_refused(backup: Path, topshelf: Topshelf) -> None:
    refused = topshelf("backup", backup)
    assert (refused.exit_code, "another name" in refused.err) == (3, True)


def test_a_restore_says_what_it_would_be_put_over(backup: Path, topshelf: Topshelf) -> None:
    refused = topshelf("restore", backup)
    assert (refused.exit_code, "--replace" in refused.err) == (3, True)
    assert topshelf("restore", backup, "--replace").exit_code == 0


def test_what_is_no_backup_is_refused_as_such(on_redis: None, topshelf: Topshelf, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("milk, eggs")
    refused = topshelf("restore", tmp_path / "notes.txt", "--json")
    assert refused.exit_code == 3
    assert refused.error["error_key"] == "backup_corrupt"
    assert topshelf("restore", tmp_path / "nowhere.tar").exit_code == 1


def test_a_system_that_is_not_running_has_its_redis_started_and_one_that_runs_is_left_alone(
    backup: Path, topshelf: Topshelf, environ: Callable[..., None], tmp_path: Path
) -> None:
    prefix = Settings.from_environment().key_prefix
    environ(data_dir=tmp_path / "other", redis_port=free_port(), serving_url="", key_prefix=prefix)
    settings = Settings.from_environment()
    assert settings.embedded_redis
    restored = topshelf("restore", backup)
    assert restored.exit_code == 0, restored.err
    with EmbeddedRedis(settings.data_dir / "redis", settings.redis_port):
        # From another process: this one would take the server for its own.
        refused = subprocess.run(
            [sys.executable, "-m", "topshelf", "restore", str(backup), "--replace"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (refused.returncode, "stop it first" in refused.stderr) == (7, True)
