"""Runs an app of the benchmark the way the reader is run: one process, uvloop, httptools, no access log."""

import argparse
from collections.abc import Callable
from typing import Any

import uvicorn

TOKEN = "bench"  # noqa: S105 -- of a server on loopback, for a minute


def arguments(*names: str) -> argparse.Namespace:
    """``--port`` and further options, all of them wanted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def serve(app: Callable[..., Any], port: int) -> None:
    """Serve until a signal comes."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
