import os
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from topshelf.errors import SettingsError
from topshelf.settings import PREFIX, Settings, process_environment

SECRET = "open-sesame-4711"


def fault_lines(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_the_defaults_are_usable() -> None:
    assert Settings.from_environment({}).api_port == 8000


def test_every_fault_is_said_at_once() -> None:
    faults = fault_lines(
        TOPSHELF_API_PORT="eighty",
        TOPSHELF_K_STORE="0",
        TOPSHELF_DEVICE="tpu",
        TOPSHELF_LOG_LEVEL="loud",
        TOPSHELF_NIGHTLY_TIMEZONE="Mars/Olympus",
        TOPSHELF_NIGHTLY_CRON="0 3",
        TOPSHELF_SERVING_URL="localhost:6379",
        TOPSHELF_QUEUES="gpus,io",
        TOPSHELF_MODELS="",
        TOPSHELF_TOKEN_READ="x",
    )
    named = [line.split(":")[0].split(" ")[0] for line in faults]
    assert sorted(set(named)) == [
        "TOPSHELF_API_PORT",
        "TOPSHELF_DEVICE",
        "TOPSHELF_DURABLE_URL",
        "TOPSHELF_K_STORE",
        "TOPSHELF_LOG_LEVEL",
        "TOPSHELF_MODELS",
        "TOPSHELF_NIGHTLY_CRON",
        "TOPSHELF_NIGHTLY_TIMEZONE",
        "TOPSHELF_QUEUES",
        "TOPSHELF_SERVING_URL",
        "TOPSHELF_TOKEN_READ",
    ]


@pytest.mark.parametrize(
    ("misspelt", "nearest"),
    [
        ("TOPSHELF_TOKEN_READ", "TOPSHELF_TOKENS_READ"),
        ("TOPSHELF_APIPORT", "TOPSHELF_API_PORT"),
        ("TOPSHELF_DATADIR", "TOPSHELF_DATA_DIR"),
        ("TOPSHELF_SERVING_URI", "TOPSHELF_SERVING_URL"),
    ],
)
def test_a_misspelt_variable_names_the_nearest_setting(misspelt: str, nearest: str) -> None:
    assert fault_lines(**{misspelt: "1"}) == [f"{misspelt} is not a setting; did you mean {nearest}?"]


def test_a_variable_like_no_setting_gets_no_guess() -> None:
    assert fault_lines(TOPSHELF_XYZZY="1") == ["TOPSHELF_XYZZY is not a setting"]


def test_variables_of_the_test_suite_and_of_others_are_left_alone() -> None:
    settings = Settings.from_environment({"TOPSHELF_TEST_DATA": "/data", "PATH": "/bin", "TOPSHELFX": "1"})
    assert settings == Settings()


def test_a_fault_of_two_settings_names_both() -> None:
    assert fault_lines(TOPSHELF_LEASE_SECONDS="7200", TOPSHELF_TASK_LIMIT_SECONDS="3600") == [
        "TOPSHELF_TASK_LIMIT_SECONDS: must not be below TOPSHELF_LEASE_SECONDS"
    ]


def test_lists_are_separated_by_commas() -> None:
    settings = Settings.from_environment(
        {"TOPSHELF_MODELS": " als , popular,,", "TOPSHELF_TOKENS_READ": "one,two", "TOPSHELF_QUEUES": "io"}
    )
    assert settings.models == ("als", "popular")
    assert [token.get_secret_value() for token in settings.tokens_read] == ["one", "two"]
    assert settings.queues == ("io",)


def test_overrides_win_over_the_environment_unless_they_are_none() -> None:
    environ = {"TOPSHELF_REJECT_SHARE": "0.5"}
    assert Settings.from_environment(environ, reject_share=0.1).reject_share == 0.1
    assert Settings.from_environment(environ, reject_share=None).reject_share == 0.5


def test_folders_are_absolute() -> None:
    settings = Settings.from_environment({"TOPSHELF_DATA_DIR": "~/shelf"})
    assert settings.data_dir == Path.home() / "shelf"
    assert settings.cache_dir.is_absolute()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().seed = 1  # type: ignore[misc]  # mypy says it too


def test_a_child_process_reads_the_very_same_settings() -> None:
    settings = Settings.from_environment(
        {
            "TOPSHELF_TOKENS_ADMIN": SECRET,
            "TOPSHELF_MODELS": "als",
            "TOPSHELF_SERVING_URL": f"redis://:{SECRET}@elsewhere:6379/1",
            "TOPSHELF_NIGHTLY_CRON": "",
            "TOPSHELF_DRAIN_SECONDS": "0.5",
            "TOPSHELF_DEVICE": "cuda:1",
        }
    )
    environ = settings.to_environment()
    assert set(environ) == {PREFIX + name.upper() for name in Settings.model_fields}
    assert Settings.from_environment(environ) == settings


def test_secrets_show_in_no_representation() -> None:
    settings = Settings.from_environment(
        {
            "TOPSHELF_TOKENS_READ": SECRET,
            "TOPSHELF_TOKENS_EVENTS": f"{SECRET},{SECRET}",
            "TOPSHELF_TOKENS_ADMIN": SECRET,
            "TOPSHELF_FLOWER_PASSWORD": SECRET,
            "TOPSHELF_NEPTUNE_TOKEN": SECRET,
            "TOPSHELF_MLFLOW_URI": f"https://user:{SECRET}@elsewhere",
            "TOPSHELF_SERVING_URL": f"redis://:{SECRET}@elsewhere:6379",
        }
    )
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown


def test_secrets_are_blotted_out_of_a_text() -> None:
    settings = Settings.from_environment(
        {"TOPSHELF_NEPTUNE_TOKEN": SECRET, "TOPSHELF_TOKENS_READ": "one-4712"}
    )
    assert settings.without_secrets(f"{SECRET} one-4712 more", "more") == " ".join(["**********"] * 3)
    assert Settings().without_secrets("nothing to hide") == "nothing to hide"


@pytest.mark.parametrize(
    ("variable", "text"),
    [("TOPSHELF_TRACKERS", "mlflow,wandb"), ("TOPSHELF_NEPTUNE_URL", "neptune.example.com")],
)
def test_trackers_and_their_servers_are_checked(variable: str, text: str) -> None:
    [fault] = fault_lines(**{variable: text})
    assert fault.startswith(f"{variable}: ")


@pytest.mark.parametrize("dsn", ["sesame", "https://host/1", "https://key@host", "https://key@host/a"])
def test_a_dsn_is_checked_and_not_shown(dsn: str) -> None:
    assert fault_lines(TOPSHELF_SENTRY_DSN=dsn) == [
        "TOPSHELF_SENTRY_DSN: a DSN is wanted, as in https://key@host/1"
    ]


@pytest.mark.parametrize(
    "dsn", ["https://key@sentry.example.org/1", "http://key@127.0.0.1:8001/1", "https://k:s@host/a/b/12"]
)
def test_a_dsn_may_be_of_any_server(dsn: str) -> None:
    settings = Settings.from_environment({"TOPSHELF_SENTRY_DSN": dsn})
    assert settings.sentry_dsn.get_secret_value() == dsn


def test_secrets_show_in_no_error() -> None:
    wrong = {"serving_url": f"http://:{SECRET}@elsewhere", "api_port": SECRET, "tokens_read": SECRET}
    with pytest.raises(SettingsError) as from_environment:
        Settings.from_environment({PREFIX + name.upper(): text for name, text in wrong.items()})
    assert SECRET not in "".join(traceback.format_exception(from_environment.value))
    with pytest.raises(ValidationError) as direct:
        Settings.model_validate(wrong)
    assert SECRET not in str(direct.value)


def test_both_roles_are_on_the_embedded_redis_by_default() -> None:
    settings = Settings.from_environment({"TOPSHELF_REDIS_PORT": "7777"})
    assert settings.embedded_redis
    assert settings.serving_url == settings.durable_url == SecretStr("redis://127.0.0.1:7777/0")


def test_one_url_serves_both_roles() -> None:
    settings = Settings.from_environment({"TOPSHELF_SERVING_URL": "redis://shelves:6379/0"})
    assert settings.durable_url == settings.serving_url
    assert not settings.embedded_redis


def test_a_second_url_is_kept_apart() -> None:
    settings = Settings.from_environment(
        {"TOPSHELF_SERVING_URL": "redis://shelves:6379/0", "TOPSHELF_DURABLE_URL": "rediss://broker:6379/0"}
    )
    assert settings.durable_url.get_secret_value() == "rediss://broker:6379/0"
    assert not settings.embedded_redis


def test_naming_the_embedded_server_by_its_url_changes_nothing() -> None:
    assert Settings.from_environment(Settings().to_environment()).embedded_redis


def test_the_cores_are_shared_out_among_the_processes_of_a_worker() -> None:
    cores = os.cpu_count() or 1
    assert Settings(worker_processes=1).threads_per_process == cores
    assert Settings(worker_processes=cores * 2).threads_per_process == 1
    assert Settings(threads=3).threads_per_process == 3


def test_a_child_inherits_the_environment_without_our_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPSHELF_SEED", "5")
    monkeypatch.setenv("UNRELATED", "kept")
    environ = process_environment()
    assert environ["UNRELATED"] == "kept"
    assert not [name for name in environ if name.startswith(PREFIX)]


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text(f"http://{SECRET}@127.0.0.1/1\n")
    (tmp_path / "tokens").write_text("a, b\n")
    settings = Settings.from_environment(
        {
            "TOPSHELF_SENTRY_DSN_FILE": str(tmp_path / "dsn"),
            "TOPSHELF_TOKENS_READ_FILE": str(tmp_path / "tokens"),
            "TOPSHELF_TOKENS_READ": "",
            "TOPSHELF_NEPTUNE_TOKEN_FILE": "",
        }
    )
    assert settings.sentry_dsn.get_secret_value() == f"http://{SECRET}@127.0.0.1/1"
    assert [token.get_secret_value() for token in settings.tokens_read] == ["a", "b"]
    assert settings.neptune_token.get_secret_value() == ""


def test_a_secret_that_is_given_twice_or_not_to_be_read_is_a_fault(tmp_path: Path) -> None:
    missing, binary, twice = tmp_path / "missing", tmp_path / "binary", tmp_path / "twice"
    binary.write_bytes(b"\xff\xfe\xff")
    twice.write_text(SECRET)
    assert fault_lines(
        TOPSHELF_SENTRY_DSN_FILE=str(missing),
        TOPSHELF_FLOWER_PASSWORD_FILE=str(binary),
        TOPSHELF_TOKENS_READ_FILE=str(twice),
        TOPSHELF_TOKENS_READ="x",
        TOPSHELF_API_PORT_FILE="port",
    ) == [
        f"TOPSHELF_SENTRY_DSN_FILE: {missing} cannot be read: No such file or directory",
        f"TOPSHELF_FLOWER_PASSWORD_FILE: {binary} is not text",
        "TOPSHELF_TOKENS_READ_FILE and TOPSHELF_TOKENS_READ are both set; unset one of them",
        "TOPSHELF_API_PORT_FILE is not a setting; did you mean TOPSHELF_API_PORT?",
    ]


def files_of(folder: Path, **texts: str) -> dict[str, str]:
    for name, text in texts.items():
        (folder / name).write_text(f"{text}\n")
    return {f"{PREFIX}{name.upper()}_FILE": str(folder / name) for name in texts}


def test_a_child_is_named_the_file_of_a_secret_and_not_told_the_secret(tmp_path: Path) -> None:
    named = files_of(
        tmp_path, serving_url=f"redis://:{SECRET}@shelves:6379/0", tokens_read=f"{SECRET},b", sentry_dsn=""
    )
    settings = Settings.from_environment(named | {"TOPSHELF_NEPTUNE_TOKEN": "in-the-clear"})
    for handed_on in (settings, settings.model_copy(update={"api_port": 9000})):
        environ = handed_on.to_environment()
        assert SECRET not in str(environ)
        assert environ["TOPSHELF_SERVING_URL_FILE"] == environ["TOPSHELF_DURABLE_URL_FILE"]
        assert environ["TOPSHELF_TOKENS_READ_FILE"] == named["TOPSHELF_TOKENS_READ_FILE"]
        assert environ["TOPSHELF_NEPTUNE_TOKEN"] == "in-the-clear"
        assert Settings.from_environment(environ) == handed_on


def test_a_secret_that_took_the_place_of_a_files_goes_on_as_it_is(tmp_path: Path) -> None:
    named = files_of(tmp_path, tokens_read=SECRET, flower_password=SECRET, neptune_token=SECRET)
    overridden = Settings.from_environment(named, flower_password="over")
    settings = overridden.model_copy(update={"tokens_read": (SecretStr("made-up"),)})
    environ = settings.to_environment()
    assert environ["TOPSHELF_TOKENS_READ"] == "made-up"
    assert environ["TOPSHELF_FLOWER_PASSWORD"] == "over"
    child = Settings.from_environment(environ)
    assert (child.tokens_read, child.flower_password) == (settings.tokens_read, settings.flower_password)


def test_a_child_elsewhere_finds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files_of(tmp_path, neptune_token=SECRET)
    monkeypatch.chdir(tmp_path)
    environ = Settings.from_environment({"TOPSHELF_NEPTUNE_TOKEN_FILE": "neptune_token"}).to_environment()
    monkeypatch.chdir("/")
    assert Settings.from_environment(environ).neptune_token.get_secret_value() == SECRET


def test_a_secret_out_of_a_pipe_goes_on_as_it_is() -> None:
    reading, writing = os.pipe()
    os.write(writing, SECRET.encode())
    os.close(writing)
    try:
        settings = Settings.from_environment({"TOPSHELF_NEPTUNE_TOKEN_FILE": f"/dev/fd/{reading}"})
    finally:
        os.close(reading)
    assert Settings.from_environment(settings.to_environment()).neptune_token.get_secret_value() == SECRET
