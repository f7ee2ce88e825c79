"""A bot at full speed on a reader that profiles whatever it can: nothing fails, and nothing piles up."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from benchmarks.reading.servers import Server
from benchmarks.reading.sides import READER
from store.keys import Keys
from tests.api.shop import Shop
from topshelf.settings import process_environment

TOKEN = "admin-token"
CONNECTIONS, REQUESTS = 20, 4_000
MOST_MORE_MB = 40.0
"""What a profile of each of thousands of requests may leave behind: 20 are kept."""


@pytest.fixture
def reader(client: redis.Redis, redis_url: str, keys: Keys, tmp_path: Path) -> Iterator[Server]:
    Shop(client, keys).publish_all()
    environment = {
        "TOPSHELF_SERVING_URL": redis_url,
        "TOPSHELF_KEY_PREFIX": keys.prefix,
        "TOPSHELF_API_PORT": "{port}",
        "TOPSHELF_TOKENS_ADMIN": TOKEN,
        "TOPSHELF_CACHE_DIR": str(tmp_path / "cache"),
        "TOPSHELF_PROFILE_EVERY": "1",
        "TOPSHELF_LOG_LEVEL": "WARNING",
    }
    with Server(READER, environment, tmp_path / "reader.log") as server:
        server.wait("/reco/als/1", TOKEN, source="cache")
        yield server


def polled(reader: Server, folder: Path, *options: str) -> dict[str, Any]:
    """What a bot in a process of its own has to say."""
    arguments = ["--users", "1-60", "-c", str(CONNECTIONS), "-n", str(REQUESTS), "--token", TOKEN, "--json"]
    bot = subprocess.run(
        [
            sys.executable,
            "-m",
            "topshelf",
            "bot",
            *arguments,
            "--url",
            f"http://127.0.0.1:{reader.port}",
            *options,
        ],
        env=process_environment() | {"TOPSHELF_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert bot.returncode == 0, bot.stderr
    found: dict[str, Any] = json.loads(bot.stdout)
    return found


def test_nothing_fails_under_a_bot_at_full_speed_with_the_profiler_on(reader: Server, tmp_path: Path) -> None:
    polled(reader, tmp_path, "--profile", "1")
    before_mb = reader.rss_anon_mb()
    marked = polled(reader, tmp_path, "--profile", "1")
    sampled = polled(reader, tmp_path)
    for found in (marked, sampled):
        assert (found["answered"], found["failed"], found["errors"]) == (REQUESTS, 0, {})
        assert found["statuses"] == {"200": REQUESTS}
        assert {"cache", "popular"} <= found["sources"].keys()
    assert marked["profiled"] > 100, "one at a time, and so not all"
    assert sampled["profiled"] == 0, "who did not ask is not told"
    assert reader.rss_anon_mb() < before_mb + MOST_MORE_MB
    listed = reader.get("/profiles", TOKEN)
    assert listed is not None
    kept = json.loads(listed.body)["profiles"]
    assert len(kept) == 20
    assert "sampling" in {profile["armed_by"] for profile in kept}
    assert (tmp_path / "reader.log").read_text() == ""
