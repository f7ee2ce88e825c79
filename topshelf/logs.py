"""Logs: a line of text or a JSON object each, tied to the request or job it is about, free of secrets."""

import logging
import logging.config
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import orjson

from topshelf.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"

_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))


@contextmanager
def log_context(**fields: str) -> Iterator[None]:
    """Put ``trace``, ``job``, ``model`` or ``task`` into every line that is logged in the block.

    A thread that the block starts has them where it runs in a copy of the block's context.
    """
    token = _context.set({**_context.get(), **{name: text for name, text in fields.items() if text}})
    try:
        yield
    finally:
        _context.reset(token)


def current_trace() -> str:
    """The trace of the request or job at hand; empty outside of both."""
    return _context.get().get("trace", "")


def logging_config(settings: Settings, service: str) -> dict[str, Any]:
    """What ``logging.config.dictConfig`` wants so that every logger writes to stderr as the settings say.

    Args:
        service: what the lines call this process, such as ``api`` or ``worker``.
    """
    formatter = JsonLines if settings.log_format == "json" else TextLines
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": formatter, "settings": settings, "service": service}},
        # The one the process was started with: Celery puts its own in place of sys.stderr.
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.__stderr__",
                "formatter": "lines",
            }
        },
        "root": {"level": settings.log_level, "handlers": ["stderr"]},
    }


def configure(settings: Settings, service: str) -> None:
    """Have every logger of this process write as the settings say."""
    logging.config.dictConfig(logging_config(settings, service))


class TextLines(logging.Formatter):
    """Lines for people: time, level, process, logger, message, and the trace where there is one."""

    def __init__(self, settings: Settings, service: str) -> None:  # noqa: ARG002 -- as of JsonLines
        super().__init__(TEXT)
        self._settings = settings

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's name
        """The first line."""
        trace = current_trace()
        return super().formatMessage(record) + (f" [{trace}]" if trace else "")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the lines of an exception."""
        return self._settings.without_secrets(super().format(record))


class JsonLines(logging.Formatter):
    """Lines for machines: one JSON object each."""

    def __init__(self, settings: Settings, service: str) -> None:
        super().__init__()
        self._settings = settings
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The object; fields that a line does not have are left out."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._text(record.getMessage()),
            "service": self._service,
            "process": record.process,
            **_context.get(),
        }
        if record.exc_info:
            line["exception"] = self._text(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self._text(record.stack_info)
        return orjson.dumps(line).decode()

    def _text(self, text: str) -> str:
        """Without secrets, and without what UTF-8 has no way to say."""
        return self._settings.without_secrets(text).encode(errors="replace").decode()
