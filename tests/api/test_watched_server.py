"""The reader in a process of its own, with everything that watches it switched on."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from tests.api.conftest import ADMIN, READ
from tests.api.shop import USERS, Shop, list_of
from tests.api.test_profiling import ARMED, ID
from tests.api.test_server import serving
from topshelf.settings import Settings

CALLERS = 20
ROUNDS = 10


@pytest.fixture
def watched(stocked: Shop, settings: Settings) -> Iterator[str]:
    """Profiles whatever it can, and tells a Sentry that never answers that every request was slow."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watching = {
            "profile_every": 1,
            "sentry_dsn": SecretStr(f"http://key@127.0.0.1:{silent.getsockname()[1]}/1"),
            "slow_request_seconds": 1e-6,
        }
        with serving(settings.model_copy(update=watching)) as url:
            yield url


async def call(url: str, headers: dict[str, str], paths: list[str]) -> list[httpx.Response]:
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        return [await client.get(path) for path in paths]


async def call_at_once(url: str, headers: dict[str, str], paths: list[str]) -> list[httpx.Response]:
    calls = [call(url, headers, paths[caller:] + paths[:caller]) for caller in range(CALLERS)]
    return [answer for answers in await asyncio.gather(*calls) for answer in answers]


@pytest.mark.parametrize("headers", [READ, ARMED], ids=["sampled", "marked"])
def test_twenty_callers_at_once_are_all_answered(watched: str, headers: dict[str, str]) -> None:
    paths = [f"/reco/als/{user}{way}" for user in USERS[: 2 * ROUNDS] for way in ("", "?k=10")]
    answers = asyncio.run(call_at_once(watched, headers, paths))
    assert Counter(answer.status_code for answer in answers) == {200: CALLERS * len(paths)}
    for answer in answers:
        body = answer.json()
        assert body["items"] == list_of(body["user_id"])[:10]
    kept = httpx.get(f"{watched}/profiles", headers=ADMIN).json()["profiles"]
    named = [answer.headers[ID] for answer in answers if ID in answer.headers]
    assert {one["armed_by"] for one in kept} <= {"admin", "sampling"}
    if headers is READ:
        assert not named
        assert kept
    else:
        assert {one["id"] for one in kept if one["armed_by"] == "admin"} & set(named)


def test_a_profile_shows_the_request_it_was_made_of_and_no_other(stocked: Shop, settings: Settings) -> None:
    async def profiled_among_others(url: str) -> tuple[httpx.Response, list[httpx.Response]]:
        others = call_at_once(url, READ, ["/reco/item_knn/1?k=10"] * ROUNDS)
        mine, around = await asyncio.gather(call(url, ARMED, ["/models"] * ROUNDS), others)
        return mine[-1], around

    with serving(settings) as url:
        mine, others = asyncio.run(profiled_among_others(url))
        assert {mine.status_code, *(answer.status_code for answer in others)} == {200}
        last = httpx.get(f"{url}/profiles", headers=ADMIN).json()["profiles"][0]
        assert (last["id"], last["route"]) == (mine.headers[ID], "/models")
        text = httpx.get(f"{url}/profiles/{last['id']}?format=text", headers=ADMIN).text
    assert "[await]" in text
    assert "recommend" not in text
