import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from topshelf.errors import SettingsError
from topshelf.settings import Settings
from topshelf.settings.checks import (
    Check,
    data_can_be_kept,
    faults_of,
    files_can_be_read,
    flower_has_a_password,
    ports_are_apart,
)


def faults(check: Check, **fields: Any) -> list[str]:
    return faults_of(Settings.from_environment({}, **fields), [check])


def test_flower_wants_a_password() -> None:
    [fault] = faults(flower_has_a_password)
    assert fault.startswith("TOPSHELF_FLOWER_PASSWORD: ")
    assert faults(flower_has_a_password, flower_password="sesame") == []


def test_a_data_folder_is_one_or_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    assert faults(data_can_be_kept, data_dir=tmp_path / "to" / "be" / "made") == []
    [fault] = faults(data_can_be_kept, data_dir=tmp_path / "taken" / "below")
    assert fault == f"TOPSHELF_DATA_DIR: {tmp_path / 'taken'} is no folder"


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_folder_is_one_that_this_user_may_write_to(locked: Path) -> None:
    [fault] = faults(data_can_be_kept, data_dir=locked / "data")
    assert fault == f"TOPSHELF_DATA_DIR: {locked} cannot be written to by this user"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "rules.json"
    [fault] = faults(files_can_be_read, rules_file=missing)
    assert fault == f"TOPSHELF_RULES_FILE: {missing} cannot be read: No such file or directory"
    missing.write_text("{}")
    assert faults(files_can_be_read, rules_file=missing) == []


def test_services_of_one_machine_have_ports_of_their_own() -> None:
    assert faults(ports_are_apart) == []
    assert faults(ports_are_apart, api_port=7000, flower_port=7000) == [
        "TOPSHELF_API_PORT and TOPSHELF_FLOWER_PORT are both 7000"
    ]


def test_an_embedded_redis_that_is_not_started_needs_no_port() -> None:
    elsewhere: dict[str, Any] = {
        "serving_url": "redis://elsewhere:6379/0",
        "redis_port": 7000,
        "api_port": 7000,
    }
    assert faults(ports_are_apart, **elsewhere) == []


def test_what_a_service_asks_is_said_beside_every_other_fault() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(
            {"TOPSHELF_API_PORT": "eighty", "TOPSHELF_TOKEN_READ": "x", "TOPSHELF_FLOWER_PORT": "6390"},
            checks=(flower_has_a_password, ports_are_apart),
        )
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert [line.split(":")[0].split(" ")[0] for line in lines] == [
        "TOPSHELF_TOKEN_READ",
        "TOPSHELF_API_PORT",
        "TOPSHELF_FLOWER_PASSWORD",
        "TOPSHELF_REDIS_PORT",
    ]
