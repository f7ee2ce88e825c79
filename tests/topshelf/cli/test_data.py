from pathlib import Path

import pytest

from tests.topshelf.cli.outcome import Topshelf

ROWS = ["user_id,item_id", "1,10", "1,11", "2,10", "3,12", "3,10"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join(ROWS) + "\n")
    return path


def test_a_file_becomes_a_dataset(topshelf: Topshelf, file: Path) -> None:
    shown = topshelf("ingest", file)
    assert shown.exit_code == 0
    assert "5 interactions, 3 users, 3 items" in " ".join(shown.out.split())


def test_a_dataset_is_told_in_json(topshelf: Topshelf, file: Path, tmp_path: Path) -> None:
    told = topshelf("ingest", file, "--json").answer
    assert told["n_interactions"] == 5
    assert told["reused"] is False
    assert (tmp_path / "data" / "datasets" / told["version"]).is_dir()


def test_the_same_file_gives_the_same_version(topshelf: Topshelf, file: Path) -> None:
    first = topshelf("ingest", file, "--json").answer
    second = topshelf("ingest", file, "--json").answer
    assert second["version"] == first["version"]
    assert second["reused"] is True
    assert "was there before" in topshelf("ingest", file).out


def test_columns_can_be_named(topshelf: Topshelf, file: Path) -> None:
    file.write_text(file.read_text().replace("user_id,item_id", "who,what"))
    assert topshelf("ingest", file, "--user", "who", "--item", "what").exit_code == 0
    ended = topshelf("ingest", file, "--user", "whom", "--item", "what", "--json")
    assert ended.exit_code == 3
    assert ended.error["error_key"] == "column_missing"
    assert "who" in ended.error["error_message"]


def test_bad_rows_are_counted_and_kept(topshelf: Topshelf, file: Path) -> None:
    file.write_text(file.read_text() + ",10\n")
    assert topshelf("ingest", file).exit_code == 3
    shown = topshelf("ingest", file, "--reject-share", "0.5")
    assert shown.exit_code == 0
    assert "1 of 6 rows rejected, see " in shown.out
    assert Path(shown.out.rpartition("see ")[2].strip()).is_file()


@pytest.mark.parametrize("content", ["", "user_id,item_id\n"])
def test_a_file_without_rows_is_an_error(topshelf: Topshelf, file: Path, content: str) -> None:
    file.write_text(content)
    ended = topshelf("ingest", file, "--json")
    assert ended.exit_code == 3
    assert ended.error["error_key"] in {"data_empty", "file_unreadable"}


def test_synthetic_data_is_written_and_can_be_ingested(topshelf: Topshelf, tmp_path: Path) -> None:
    folder = tmp_path / "kion"
    written = topshelf("synth", folder, "--users", "300", "--items", "60", "--interactions", "2000", "--json")
    assert written.answer == {"folder": str(folder), "users": 300, "items": 60, "interactions": 2000}
    assert {path.name for path in folder.iterdir()} == {"interactions.csv", "items.csv", "users.csv"}
    assert topshelf("ingest", folder, "--preset", "kion", "--json").answer["n_interactions"] > 0


def test_the_same_seed_writes_the_same_data(topshelf: Topshelf, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        topshelf("synth", tmp_path / name, "--users", "100", "--items", "40", "--seed", seed)
    a, b, c = ((tmp_path / name / "interactions.csv").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_the_count_said_is_the_count_written(topshelf: Topshelf, tmp_path: Path) -> None:
    shown = topshelf("synth", tmp_path / "kion", "--users", "100", "--items", "40")
    rows = (tmp_path / "kion" / "interactions.csv").read_text().splitlines()
    assert f"{len(rows) - 1:,} interactions written" in " ".join(shown.out.split())
