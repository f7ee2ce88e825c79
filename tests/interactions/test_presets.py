from pathlib import Path

import pytest

from interactions.presets import KION, MOVIELENS_1M, MOVIELENS_100K, detect_preset, find_files, preset_named
from tests.interactions.conftest import WriteFile
from topshelf.errors import DataError, UnreadableFile


def test_a_misspelt_preset_names_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean movielens-1m; there are movielens-100k"):
        preset_named("movielens1m")


def test_a_folder_tells_its_preset(write: WriteFile, tmp_path: Path) -> None:
    write("atomic/ml-100k.inter", "x")
    write("original/u.data", "x")
    write("million/ratings.dat", "x")
    write("kion/interactions.csv", "user_id,item_id,last_watch_dt,total_dur,watched_pct\n")
    write("own/interactions.csv", "user_id,item_id\n")
    found = [detect_preset(tmp_path / name) for name in ("atomic", "original", "million", "kion", "own")]
    assert found == [MOVIELENS_100K, MOVIELENS_100K, MOVIELENS_1M, KION, None]


def test_a_file_tells_its_preset_and_finds_those_beside_it(write: WriteFile) -> None:
    path = write("u.data", "x")
    items = write("u.item", "x")
    assert detect_preset(path) is MOVIELENS_100K
    files = find_files(MOVIELENS_100K, path)
    assert (files.interactions, files.items, files.users) == (path, items, None)


def test_a_file_of_any_name_may_be_read_with_a_preset(write: WriteFile) -> None:
    path = write("mine.txt", "x")
    assert find_files(MOVIELENS_1M, path).interactions == path


def test_a_folder_without_the_file_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"ml-100k\.inter, u\.data"):
        find_files(MOVIELENS_100K, tmp_path)
