import json
import os
from pathlib import Path

import pytest
from pyinstrument import Profiler

from topshelf.errors import ProfilingNotInstalled
from topshelf.profiling.files import (
    beside,
    check_installed,
    keep_newest,
    keep_newest_folders,
    newest_folders,
    profiles_in,
    write_profile,
)


def work() -> int:
    return sum(number % 7 for number in range(300_000))


def stand_in(folder: Path, name: str, age_seconds: int, size: int = 10) -> Path:
    """Files of a profile that was written so long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (folder / f"{name}.html", folder / f"{name}.speedscope.json"):
        file.write_bytes(b"x" * size)
        os.utime(file, (1e9 - age_seconds, 1e9 - age_seconds))
    os.utime(folder, (1e9 - age_seconds, 1e9 - age_seconds))
    return folder / f"{name}.html"


def test_a_profile_is_a_page_and_a_file_for_speedscope(tmp_path: Path) -> None:
    profiler = Profiler()
    profiler.start()
    work()
    page, speedscope = write_profile(profiler.stop(), tmp_path / "new", "train-1")
    assert [page.name, speedscope.name] == ["train-1.html", "train-1.speedscope.json"]
    assert page.read_text().startswith("<!DOCTYPE html>")
    shown = json.loads(speedscope.read_text())
    assert shown["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert "work" in {frame["name"] for frame in shown["shared"]["frames"]}
    assert profiles_in(tmp_path / "new") == [page]
    assert beside(page) == speedscope


def test_the_oldest_profiles_make_room(tmp_path: Path) -> None:
    pages = [stand_in(tmp_path, f"api-{age}", age) for age in (30, 10, 20)]
    keep_newest(tmp_path, 2)
    assert profiles_in(tmp_path) == [pages[1], pages[2]]
    assert len(list(tmp_path.iterdir())) == 4


def test_folders_beyond_the_number_or_the_bytes_that_are_kept_go(tmp_path: Path) -> None:
    for age in range(5):
        stand_in(tmp_path / f"job-{age}", "train-1", age, size=100)
    keep_newest_folders(tmp_path, most=4, most_bytes=10_000)
    assert [folder.name for folder in newest_folders(tmp_path)] == ["job-0", "job-1", "job-2", "job-3"]
    keep_newest_folders(tmp_path, most=4, most_bytes=450)
    assert [folder.name for folder in newest_folders(tmp_path)] == ["job-0", "job-1"]
    assert newest_folders(tmp_path / "nowhere") == []


def test_without_a_profiler_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed()
    monkeypatch.setattr("topshelf.profiling.files.find_spec", lambda name: None)
    with pytest.raises(ProfilingNotInstalled, match=r"pip install 'topshelf\[watch\]'"):
        check_installed()
