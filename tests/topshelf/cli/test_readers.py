from pathlib import Path

import pytest

from topshelf.cli.readers import reader_at


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOPSHELF_DATA_DIR", str(tmp_path))
    return tmp_path


def test_no_credentials_are_made_up_for_a_reader_elsewhere_whose_token_is_given(data_folder: Path) -> None:
    _, base, token = reader_at("http://api:8000/", "sesame")
    assert (base, token) == ("http://api:8000", "sesame")
    assert not list(data_folder.iterdir())


def test_this_machines_reader_is_asked_with_the_token_that_was_made_up_for_it(data_folder: Path) -> None:
    _, base, token = reader_at(None, None)
    assert base == "http://127.0.0.1:8000"
    assert token in (data_folder / "credentials.json").read_text()
