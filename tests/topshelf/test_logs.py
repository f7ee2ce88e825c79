"""Lines as they are written, by a logger of a name that nothing else listens to."""

import datetime as dt
import json
import logging
import threading
from contextvars import copy_context
from typing import Any

import pytest

from topshelf.logs import JsonLines, TextLines, current_trace, log_context, logging_config
from topshelf.settings import Settings

SECRET = "s3cr3t-4711"
SETTINGS = Settings.from_environment(
    {
        "TOPSHELF_TOKENS_READ": SECRET,
        "TOPSHELF_SERVING_URL": "redis://:pa55-word@elsewhere:6379/0",
        "TOPSHELF_DURABLE_URL": "redis://elsewhere:6379/1",
    }
)


def written(form: type[logging.Formatter], message: Any, *args: Any, exc_info: Any = None) -> str:
    record = logging.LogRecord("workers.stage", logging.WARNING, __file__, 1, message, args, exc_info)
    return form(SETTINGS, "worker").format(record)  # type: ignore[arg-type]


def json_line(message: Any, *args: Any, exc_info: Any = None) -> dict[str, Any]:
    line = written(JsonLines, message, *args, exc_info=exc_info)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_is_one_object() -> None:
    line = json_line("job %s:\nfailed", "j1")
    assert line["message"] == "job j1:\nfailed"
    assert (line["level"], line["logger"], line["service"]) == ("WARNING", "workers.stage", "worker")
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(line["time"])
    assert dt.timedelta(0) <= age < dt.timedelta(minutes=1)
    assert not {"trace", "job", "exception"} & line.keys()


def test_a_line_says_what_it_is_about() -> None:
    with log_context(trace="t1", job="j1", model=""), log_context(task="topshelf.train"):
        assert current_trace() == "t1"
        line = json_line("begun")
        text = written(TextLines, "begun")
    assert (line["trace"], line["job"], line["task"]) == ("t1", "j1", "topshelf.train")
    assert "model" not in line
    assert text.endswith("WARNING MainProcess workers.stage: begun [t1]")
    assert not current_trace()


def test_a_thread_says_so_too_in_a_copy_of_the_context() -> None:
    lines: list[dict[str, Any]] = []
    with log_context(trace="t1"):
        run = copy_context().run
        thread = threading.Thread(target=run, args=(lambda: lines.append(json_line("renewed")),))
    thread.start()
    thread.join()
    assert lines[0]["trace"] == "t1"


def test_an_exception_is_part_of_its_line() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        line = json_line("it failed", exc_info=(type(error), error, error.__traceback__))
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: '**********'")


@pytest.mark.parametrize("form", [TextLines, JsonLines])
def test_secrets_are_in_no_line(form: type[logging.Formatter]) -> None:
    line = written(form, "%s at %s, by pa55-word", SECRET, SETTINGS.serving_url.get_secret_value())
    assert "********** at **********, by **********" in line


def test_an_address_without_a_password_is_no_secret() -> None:
    assert "redis://elsewhere:6379/1" in written(TextLines, "at redis://elsewhere:6379/1")


def test_what_is_no_utf8_does_not_keep_a_line_from_being_written() -> None:
    assert json_line("file \udcff")["message"] == "file ?"


def test_the_format_is_a_setting() -> None:
    def form(name: str) -> Any:
        settings = Settings.from_environment({"TOPSHELF_LOG_FORMAT": name})
        return logging_config(settings, "api")["formatters"]["lines"]["()"]

    assert (form("text"), form("json")) == (TextLines, JsonLines)
