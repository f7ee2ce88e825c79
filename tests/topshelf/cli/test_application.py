import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.topshelf.cli.outcome import Topshelf
from topshelf import errors
from topshelf.cli.application import EXIT_CODES, exit_code

COMMANDS = [
    *("demo", "up", "api", "worker", "beat", "flower"),
    *("ingest", "synth", "train", "pipeline", "jobs", "runs"),
    *("status", "recommend", "rollback", "release", "settings"),
]
HEAVY = {"celery", "fastapi", "implicit", "interactions.datasets", "polars", "pyarrow", "redis", "scipy"}


def test_the_help_names_every_command_and_the_exit_codes(topshelf: Topshelf) -> None:
    shown = topshelf("--help")
    assert shown.exit_code == 0
    for command in COMMANDS:
        assert f" {command} " in shown.out
    assert "Exit codes: 0 done" in " ".join(shown.out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(topshelf: Topshelf, command: str) -> None:
    shown = topshelf(command, "--help")
    assert shown.exit_code == 0
    assert f"{command} [OPTIONS]" in shown.out


def test_it_runs_as_a_module_from_any_folder_and_help_loads_no_library(tmp_path: Path) -> None:
    script = (
        "import runpy, sys; sys.argv = ['topshelf', '--help']\n"
        "try: runpy.run_module('topshelf', run_name='__main__')\n"
        f"finally: print('loaded', sorted({HEAVY!r} & sys.modules.keys()))"
    )
    repository = str(Path(errors.__file__).parents[1])
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": repository},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Usage:" in ran.stdout
    assert "loaded []" in ran.stdout
    assert ran.stderr == ""


@pytest.mark.parametrize(
    "arguments", [("frobnicate",), ("synth",), ("synth", "x", "--users", "0"), ("jobs", "--state", "x")]
)
def test_wrong_arguments_exit_with_2(topshelf: Topshelf, arguments: tuple[str, ...]) -> None:
    ended = topshelf(*arguments)
    assert ended.exit_code == 2
    assert "Error" in ended.err
    assert ended.out == ""


def test_unusable_settings_exit_with_2_and_list_every_fault(
    topshelf: Topshelf, environ: Callable[..., None]
) -> None:
    environ(apiport=1, seed="x")
    ended = topshelf("status")
    assert ended.exit_code == 2
    assert "TOPSHELF_APIPORT is not a setting; did you mean TOPSHELF_API_PORT?" in ended.err
    assert "TOPSHELF_SEED" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "key"),
    [
        (("worker", "--queues", "gpus"), 2, "settings_invalid"),
        (("flower",), 2, "settings_invalid"),
        (("ingest", "no-such-file.csv"), 3, "file_unreadable"),
        (("train", "als"), 3, "dataset_not_found"),
        (("train", "alz"), 4, "model_unknown"),
        (("train", "als", "-p", "factorz=3"), 4, "config_invalid"),
        (("train", "als", "-p", "factors"), 4, "config_invalid"),
        (("status",), 5, "store_unavailable"),
        (("jobs",), 5, "store_unavailable"),
        (("rollback", "als"), 5, "store_unavailable"),
        (("recommend", "als", "1"), 7, "service_failed"),
    ],
)
def test_an_error_exits_with_the_code_of_its_kind(
    topshelf: Topshelf, arguments: tuple[str, ...], code: int, key: str
) -> None:
    ended = topshelf(*arguments)
    assert ended.exit_code == code
    assert key in ended.err
    assert "Traceback" not in ended.err


def test_an_error_is_json_where_json_was_asked_for(topshelf: Topshelf) -> None:
    ended = topshelf("status", "--json")
    assert ended.exit_code == 5
    assert ended.out == ""
    assert ended.error["error_key"] == "store_unavailable"
    assert "does not answer" in ended.error["error_message"]


def test_a_redis_that_is_away_is_an_error_with_a_way_out(topshelf: Topshelf) -> None:
    assert "topshelf up" in topshelf("status").err


def test_a_folder_that_cannot_be_written_is_an_error_in_words(
    topshelf: Topshelf, environ: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "occupied").write_text("a file where a folder should be")
    environ(data_dir=tmp_path / "occupied" / "data")
    ended = topshelf("up")
    assert ended.exit_code != 0
    assert "occupied" in ended.err
    assert "Traceback" not in ended.err


def test_a_missing_library_is_an_error_that_names_the_extras(
    topshelf: Topshelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "workers.runtime", None)
    ended = topshelf("jobs")
    assert ended.exit_code == 1
    assert "workers.runtime, which is not part of this installation" in ended.err


def test_every_kind_of_error_has_an_exit_code_of_its_own() -> None:
    codes = [code for _, code in EXIT_CODES if code != 1]
    assert len(codes) == len(set(codes))
    assert exit_code(errors.TopshelfError()) == 1
    assert exit_code(errors.EmptyData()) == exit_code(errors.DataError()) == 3
    assert exit_code(errors.JobCancelled()) == 6
    assert exit_code(errors.ServiceError()) == 7
    assert exit_code(errors.ReaderRefused("no")) == 1
