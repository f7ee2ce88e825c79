"""Runs the reader under uvicorn."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from api.app import create_app
from api.auth import Tokens
from api.profiling import check_profiling
from api.protocol import ReaderProtocol
from topshelf.errors import ServiceError
from topshelf.logs import logging_config
from topshelf.reports import check_reports
from topshelf.settings import Settings
from topshelf.settings.checks import Check

STOP_SECONDS = 10
SILENT_SECONDS = 30
"""Of several processes, one that is silent for so long is replaced; imports alone may take a while."""


INSTALLATION_CHECKS: tuple[Check, ...] = (check_profiling, check_reports)
"""What a reader asks of the settings and of what is installed beside it."""
CHECKS: tuple[Check, ...] = (Tokens, *INSTALLATION_CHECKS)


def app_from_environment() -> FastAPI:
    """The reader with settings out of the environment: ``uvicorn --factory api.server:app_from_environment``.

    Raises:
        SettingsError: a setting is unusable.
    """
    return create_app(Settings.from_environment())


def run(settings: Settings, make_app: Callable[[Settings], ASGIApp] = create_app) -> None:
    """Serve until a signal comes, with ``settings.api_processes`` processes behind one port.

    Args:
        make_app: builds the reader; another one for who watches it from around it.

    Raises:
        SettingsError: there are no tokens, or something is asked for that is not installed.
        ServiceError: the reader did not start; its log says why.
    """
    # Of several processes each would fail, and be started again for ever.
    for check in CHECKS:
        check(settings)
    config = uvicorn.Config(
        partial(make_app, settings),
        factory=True,
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http=ReaderProtocol,
        lifespan="on",
        log_config=logging_config(settings, "api"),
        log_level=settings.log_level.lower(),
        access_log=False,
        proxy_headers=False,
        server_header=False,
        workers=settings.api_processes,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_worker_healthcheck=SILENT_SECONDS,
    )
    if settings.api_processes > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
        return
    server = uvicorn.Server(config)
    # Where it cannot start, uvicorn says why in the log and leaves with a code of its own.
    with suppress(SystemExit):
        server.run()
    if not server.started:
        raise ServiceError(
            f"the reader did not start on {settings.api_host}:{settings.api_port}; see its log"
        )
