"""The command, run in this process on an environment of its own."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from store.embedded import free_port
from store.keys import Keys
from tests.topshelf.cli.outcome import Outcome, Topshelf
from topshelf.cli import main
from topshelf.settings import EXEMPT_PREFIX, PREFIX


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets variables; those of the developer's own shell are gone, and no Redis and no reader is there."""
    for name in os.environ:
        if name.startswith(PREFIX) and not name.startswith(EXEMPT_PREFIX):
            monkeypatch.delenv(name)

    def put(**variables: str | Path | int) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(PREFIX + name.upper(), str(value))

    put(
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        redis_port=free_port(),
        api_port=free_port(),
        flower_port=free_port(),
        exporter_port=free_port(),
        metrics_port=free_port(),
    )
    return put


@pytest.fixture
def topshelf(
    environ: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Topshelf:
    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["topshelf", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, written.out, written.err)

    return run


@pytest.fixture
def on_redis(environ: Callable[..., None], redis_url: str, keys: Keys) -> None:
    """The command finds the suite's own Redis."""
    environ(serving_url=redis_url, key_prefix=keys.prefix)
