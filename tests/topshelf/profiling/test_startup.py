"""Real starts, each in a process of its own."""

import json
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from store.embedded import free_port
from store.keys import Keys
from tests.api.shop import Shop
from topshelf.errors import ServiceError, StoreUnavailable
from topshelf.profiling.startup import Startup, profile_startup
from topshelf.settings import Settings


@pytest.fixture
def settings(redis_url: str, keys: Keys, tmp_path: Path) -> Settings:
    return Settings(
        serving_url=SecretStr(redis_url),
        durable_url=SecretStr(redis_url),
        key_prefix=keys.prefix,
        cache_dir=tmp_path / "cache",
        data_dir=tmp_path / "data",
    )


def seconds_of(found: Startup) -> dict[str, float]:
    return {phase.name: phase.seconds for phase in found.phases}


def test_the_start_of_a_reader_is_told_phase_by_phase(
    client: redis.Redis, keys: Keys, settings: Settings, tmp_path: Path
) -> None:
    Shop(client, keys).publish_all()
    found = profile_startup("api", settings, tmp_path / "out", cold=True)
    seconds = seconds_of(found)
    assert list(seconds) == [
        "interpreter",
        "imports",
        "settings",
        "application",
        "opening Redis",
        "live generations",
        "catalogue",
        "neighbour index",
        "server and first answer",
    ]
    assert all(seconds[name] > 0 for name in ("interpreter", "imports", "opening Redis"))
    assert seconds["live generations"] + seconds["catalogue"] + seconds["neighbour index"] > 0
    imports = found.phases[1]
    assert {"fastapi", "pydantic", "api", "numpy"} <= imports.parts.keys()
    assert sum(imports.parts.values()) == pytest.approx(imports.seconds)
    assert found.facts == {"models": ["als", "item_knn", "popular", "popular_in_category"]}
    page, speedscope = found.files
    assert page.read_text().startswith("<!DOCTYPE html>")
    frames = {frame["name"] for frame in json.loads(speedscope.read_text())["shared"]["frames"]}
    assert "create_app" in frames or "run" in frames
    assert not settings.cache_dir.exists(), "a cold start has a cache of its own"


def test_the_start_of_a_worker_takes_no_jobs_and_leaves_no_queue(
    client: redis.Redis, settings: Settings, tmp_path: Path
) -> None:
    found = profile_startup("worker", settings, tmp_path / "out")
    seconds = seconds_of(found)
    assert list(seconds) == ["interpreter", "imports", "settings", "application", "pool", "broker", "worker"]
    assert all(seconds[name] > 0 for name in ("imports", "pool", "broker"))
    assert {"celery", "polars", "workers"} <= found.phases[1].parts.keys()
    assert found.facts == {"processes": 2}
    assert not list(client.scan_iter("*startup*"))


def test_a_redis_that_is_not_there_is_an_error_and_nothing_is_started(
    settings: Settings, tmp_path: Path
) -> None:
    gone = settings.model_copy(update={"serving_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    with pytest.raises(StoreUnavailable):
        profile_startup("api", gone, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_service_that_does_not_start_is_an_error_with_its_last_words(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.data_dir.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "uvloop.py").write_text("raise ImportError('no such loop')")
    with pytest.raises(ServiceError, match=r"before it was ready:\n(.*\n)*.*no such loop"):
        profile_startup("api", settings, tmp_path / "out")
