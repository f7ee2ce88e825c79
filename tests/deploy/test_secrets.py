"""The script that makes up every secret."""

import stat
import subprocess
from pathlib import Path

import pytest

from tests.deploy.composed import ROOT, compose_file


def make(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", ROOT / "deploy/secrets.sh", folder], capture_output=True, text=True, check=False
    )


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_script_makes_every_secret_of_the_compose_file_and_no_other(secrets_folder: Path) -> None:
    declared = compose_file()["secrets"]
    assert {name: secret["file"] for name, secret in declared.items()} == {
        path.name: f"./secrets/{path.name}" for path in secrets_folder.iterdir()
    }


def test_nobody_else_can_enter_the_folder_and_a_container_can_read_a_file(secrets_folder: Path) -> None:
    assert stat.S_IMODE(secrets_folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets_folder.iterdir()} == {0o444}


def test_what_is_made_up_is_long_and_never_the_same_twice(secrets_folder: Path, tmp_path: Path) -> None:
    assert make(tmp_path / "other").returncode == 0
    made = [text for text in contents(secrets_folder).values() if text]
    assert min(map(len, made)) >= 48
    assert not {*made} & {*contents(tmp_path / "other").values()}
    assert len({*made}) == len(made)


def test_the_urls_carry_the_passwords(secrets_folder: Path) -> None:
    made = contents(secrets_folder)
    for role in ("serving", "durable"):
        password = made[f"redis_{role}_password"]
        assert made[f"{role}_url"] == f"redis://:{password}@redis-{role}:6379/0"


def test_where_to_report_to_is_left_to_the_operator(secrets_folder: Path) -> None:
    assert {name for name, text in contents(secrets_folder).items() if not text} == {
        "sentry_dsn",
        "neptune_token",
        "webhook_urls",
    }


def test_a_second_run_changes_nothing_and_fills_in_what_is_missing(tmp_path: Path) -> None:
    make(tmp_path / "secrets")
    before = contents(tmp_path / "secrets")
    (tmp_path / "secrets" / "tokens_read").unlink()
    again = make(tmp_path / "secrets")
    after = contents(tmp_path / "secrets")
    assert again.stdout == f"made {tmp_path}/secrets/tokens_read\n"
    assert after.pop("tokens_read") != before.pop("tokens_read")
    assert after == before


def test_nothing_secret_is_printed(tmp_path: Path) -> None:
    made = make(tmp_path / "secrets")
    assert not [text for text in contents(tmp_path / "secrets").values() if text and text in made.stdout]


@pytest.mark.parametrize("password", ["", "a b", "p@ss", 'quo"te', "two\nlines"])
def test_a_password_that_no_url_can_carry_is_refused(tmp_path: Path, password: str) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "redis_durable_password").write_text(password)
    refused = make(folder)
    assert refused.returncode == 2
    assert "redis_durable_password: letters, digits, _ and - are wanted" in refused.stderr
    assert not (folder / "durable_url").exists()


def test_secrets_are_neither_committed_nor_sent_to_the_engine() -> None:
    assert {"secrets/", ".env"} <= {*(ROOT / ".gitignore").read_text().splitlines()}
    assert (ROOT / ".dockerignore").read_text().splitlines()[0] == "*"
