import shutil
import zipfile
from pathlib import Path

import pytest

from topshelf.local.demo_data import (
    CHECKSUMS,
    FOLDER_IN_WHEEL,
    SYNTHETIC,
    WHEEL,
    DemoData,
    demo_data,
)


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place pip finds wheels in; it never asks an index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def said() -> list[str]:
    return []


def put_wheel(folder: Path, files: dict[str, bytes]) -> None:
    info = "recbole-1.2.1.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for name, content in files.items():
            wheel.writestr(FOLDER_IN_WHEEL + name, content)


def real_files(test_data: Path) -> dict[str, bytes]:
    return {name: (test_data / "ml-100k" / name).read_bytes() for name in CHECKSUMS}


def test_it_is_synthetic_where_no_index_has_the_wheel_and_says_so_in_one_line(
    tmp_path: Path, said: list[str]
) -> None:
    data = demo_data(tmp_path / "cache", said.append)
    assert data == DemoData(tmp_path / "cache" / "synthetic", "kion")
    assert len(said) == 1
    assert "pip cannot fetch recbole==1.2.1" in said[0]
    assert "synthetic" in said[0]
    assert "\n" not in said[0]
    with (data.folder / "interactions.csv").open() as rows:
        assert next(rows).startswith("user_id,item_id,")
        assert sum(1 for _ in rows) == SYNTHETIC.interactions


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"not the data set", "do not match their checksums"), (None, "is not what it was")],
    ids=["other files", "no files"],
)
def test_a_wheel_that_is_not_the_one_known_is_not_used(
    tmp_path: Path, wheels: Path, said: list[str], content: bytes | None, reason: str
) -> None:
    put_wheel(wheels, {} if content is None else dict.fromkeys(CHECKSUMS, content))
    assert demo_data(tmp_path / "cache", said.append).preset == "kion"
    assert reason in said[0]


def test_a_cache_that_cannot_be_written_to_is_said(tmp_path: Path, said: list[str]) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "ml-100k").write_text("a file where a folder should be")
    assert demo_data(cache, said.append).preset == "kion"
    assert len(said) == 1


def test_movielens_comes_out_of_the_wheel(
    tmp_path: Path, wheels: Path, test_data: Path, said: list[str]
) -> None:
    put_wheel(wheels, real_files(test_data))
    data = demo_data(tmp_path / "cache", said.append)
    assert data == DemoData(tmp_path / "cache" / "ml-100k", "movielens-100k")
    assert said == []
    for name, content in real_files(test_data).items():
        assert (data.folder / name).read_bytes() == content


def test_what_is_cached_whole_is_not_fetched_again(tmp_path: Path, test_data: Path, said: list[str]) -> None:
    shutil.copytree(test_data / "ml-100k", tmp_path / "cache" / "ml-100k")
    assert demo_data(tmp_path / "cache", said.append).preset == "movielens-100k"
    assert said == []


def test_a_cached_file_that_changed_is_fetched_again(
    tmp_path: Path, wheels: Path, test_data: Path, said: list[str]
) -> None:
    cached = tmp_path / "cache" / "ml-100k"
    shutil.copytree(test_data / "ml-100k", cached)
    (cached / "ml-100k.item").unlink()
    (cached / "ml-100k.item").write_text("cut short")
    put_wheel(wheels, real_files(test_data))
    assert demo_data(tmp_path / "cache", said.append).preset == "movielens-100k"
    assert (cached / "ml-100k.item").read_bytes() == real_files(test_data)["ml-100k.item"]
