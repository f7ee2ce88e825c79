"""What of a data folder is backed up."""

import sqlite3
from contextlib import closing
from pathlib import Path

from topshelf.backups.archive import KEYS_MEMBER, writing
from topshelf.backups.files import copy_database, files_of, whole_folder


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_events_come_before_the_datasets_they_are_in_and_pending_ones_before_merged_ones(
    tmp_path: Path,
) -> None:
    put(tmp_path, "artifacts/a/m", "datasets/d/i", "events/merged/d/s1", "events/pending/s2", "mlflow.db")
    assert [str(file) for file in files_of(tmp_path)] == [
        "events/pending/s2", "events/merged/d/s1", "artifacts/a/m", "datasets/d/i", "mlflow.db",
    ]  # fmt: skip


def test_secrets_logs_redis_and_what_is_half_written_stay_out(tmp_path: Path) -> None:
    put(
        tmp_path,
        "credentials.json", "system.lock", "redis/appendonly.aof", "logs/api.log", "profiles/a.html",
        "datasets/.building-1/matrix.npz", "artifacts/.writing-1/m", ".restoring-1/x", "replaced-1/x",
        "runs/one.jsonl", "runs/one.partial", "runs/mlflow.lock", "mlflow.db-wal",
        "events/pending/refresh.lock", "backups/2026-11-27.tar", "backups/README",
    )  # fmt: skip
    assert [str(file) for file in files_of(tmp_path)] == ["runs/one.jsonl"]


def test_earlier_backups_stay_out_wherever_they_lie_other_archives_do_not(tmp_path: Path) -> None:
    put(tmp_path, "ratings.csv", "empty")
    (tmp_path / "empty").write_bytes(b"")
    for name, member in (
        ("old", KEYS_MEMBER),
        ("kept/older.tar", KEYS_MEMBER),
        ("ratings.tar", "ratings.csv"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with writing(tmp_path / name) as archive:
            archive.add(member, tmp_path / "ratings.csv")
    assert [str(file) for file in files_of(tmp_path)] == ["empty", "ratings.csv", "ratings.tar"]


def test_no_folder_has_no_files(tmp_path: Path) -> None:
    assert list(files_of(tmp_path / "none")) == []


def test_a_file_of_a_dataset_is_worth_nothing_without_the_others() -> None:
    assert whole_folder(Path("datasets/v1/matrix.npz")) == "datasets/v1"
    assert whole_folder(Path("runs/one.jsonl")) is None


def test_a_database_is_copied_with_what_was_committed_while_somebody_writes(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE runs (id)")
        writer.commit()
        writer.execute("INSERT INTO runs VALUES (1)")
        copy_database(tmp_path / "mlflow.db", tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM runs").fetchall() == [(0,)]
