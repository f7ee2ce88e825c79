import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from api.app import create_app
from api.auth import Tokens
from api.profiling import KEPT, LONGEST_SECONDS, ProfiledRequests, Profiles
from api.server import run
from tests.api.caller import Caller, calling
from tests.api.conftest import ADMIN, READ
from tests.api.shop import Shop, list_of
from topshelf.errors import SettingsError
from topshelf.settings import Settings

TOKENS = Tokens(Settings(tokens_admin=(SecretStr("admin-token"),)))
ARMED = {**ADMIN, "X-Topshelf-Profile": "1"}
ID = "X-Topshelf-Profile-Id"
NOWHERE: tuple[Any, Any] = (None, None)
"""For an app that neither receives nor sends."""


def profiles(api: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.as_(ADMIN).get("/profiles").json()["profiles"]
    return found


@pytest.mark.parametrize("path", ["/reco/als/7", "/reco/als/7?k=3", "/models/als/generations", "/reco/alz/7"])
def test_an_admin_gets_the_answer_and_the_id_of_its_profile(stocked: Shop, api: Caller, path: str) -> None:
    plain, armed = api.as_(ADMIN).get(path), api.as_(ARMED).get(path)
    assert (armed.status_code, armed.content) == (plain.status_code, plain.content)
    assert ID not in plain.headers
    [profile] = profiles(api)
    assert profile["id"] == armed.headers[ID]
    assert (profile["method"], profile["armed_by"]) == ("GET", "admin")
    assert "7" not in profile["route"]


def test_others_are_answered_unprofiled(stocked: Shop, api: Caller) -> None:
    answer = api.as_({**READ, "X-Topshelf-Profile": "1"}).get("/reco/als/7")
    assert answer.json()["items"] == list_of(7)[:10]
    assert profiles(api) == []
    assert api.get("/profiles").status_code == 403


def test_only_the_last_are_kept(stocked: Shop, api: Caller) -> None:
    taken = [api.as_(ARMED).get("/reco/als/7").headers[ID] for _ in range(KEPT + 5)]
    assert [profile["id"] for profile in profiles(api)] == taken[: -KEPT - 1 : -1]


class Sampling:
    """Requests that come at moments of our choosing, none of them marked."""

    def __init__(self, every: int) -> None:
        self.now = 0.0
        profiles = Profiles()
        self._profiled = ProfiledRequests(
            self._app, self._short_cut, TOKENS, profiles, every, lambda: self.now
        )

    def request(self) -> bool:
        """Whether one more request is to be profiled: then there is no short cut for it."""
        return not self._profiled.begin({"type": "http", "headers": []}, lambda _: None, lambda: None)

    async def _app(self, *_: object) -> None:
        """Nobody gets here."""

    def _short_cut(self, scope: Scope, respond: Callable[[Any], None], leave: Callable[[], None]) -> bool:
        return True


def test_one_request_in_so_many_is_sampled() -> None:
    sampling = Sampling(every=5)
    found = []
    for _ in range(20):
        sampling.now += 1
        found.append(sampling.request())
    assert found == [False, False, False, False, True] * 4


def test_no_more_are_sampled_in_a_second_than_the_reader_can_bear() -> None:
    sampling = Sampling(every=2)
    found = 0
    for _ in range(50_000):
        sampling.now += 1 / 50_000
        found += sampling.request()
    assert 18 <= found <= 21


def test_with_none_to_be_sampled_none_is() -> None:
    sampling = Sampling(every=0)
    assert not any(sampling.request() for _ in range(1_000))


@pytest.mark.parametrize("quick", [True, False], ids=["the short cut", "ASGI"])
def test_a_request_counts_once_whichever_way_it_takes(quick: bool) -> None:
    handled: list[Scope] = []

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        handled.append(scope)

    profiles, moments = Profiles(), iter(range(1_000))
    front = ProfiledRequests(handle, lambda *_: quick, TOKENS, profiles, 5, lambda: next(moments))

    async def ask() -> None:
        for _ in range(50):
            scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
            if not front.begin(scope, lambda _: None, lambda: None):
                await front(scope, *NOWHERE)

    asyncio.run(ask())
    assert len(profiles.newest_first()) == 10
    assert len(handled) == (10 if quick else 50)


def test_one_is_profiled_at_a_time_until_it_takes_too_long() -> None:
    async def ask() -> None:
        begun, go_on = asyncio.Semaphore(0), asyncio.Event()
        moments, profiles = [0.0], Profiles()

        async def wait(*_: object) -> None:
            begun.release()
            await go_on.wait()

        front = ProfiledRequests(wait, lambda *_: False, TOKENS, profiles, 0, lambda: moments[-1])
        headers = [(name.lower().encode(), text.encode()) for name, text in ARMED.items()]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        requests = []
        for moment in (0.0, 1.0, LONGEST_SECONDS + 1):
            moments.append(moment)
            requests.append(asyncio.create_task(front(dict(scope), *NOWHERE)))
            await begun.acquire()
        go_on.set()
        await asyncio.gather(*requests)
        assert len(profiles.newest_first()) == 2

    asyncio.run(ask())


def test_sampling_without_a_profiler_is_an_error_that_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topshelf.profiling.files.find_spec", lambda name: None)
    create_app(settings)
    for start in (create_app, run):
        with pytest.raises(SettingsError, match=r"topshelf\[watch\]"):
            start(settings.model_copy(update={"profile_every": 1}))


def test_what_was_sampled_is_listed(stocked: Shop, settings: Settings) -> None:
    with calling(create_app(settings.model_copy(update={"profile_every": 2})), READ) as api:
        for _ in range(10):
            assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]
        assert {profile["armed_by"] for profile in profiles(api)} == {"sampling"}


def test_a_request_that_fails_is_answered_as_usual_and_profiled(stocked: Shop, app: FastAPI) -> None:
    @app.get("/fails")
    async def fails() -> None:
        raise ZeroDivisionError

    with calling(app, ARMED) as api:
        answer = api.get("/fails")
        assert answer.status_code == 500
        assert answer.json()["errors"][0]["error_key"] == "internal_error"
        assert [profile["route"] for profile in profiles(api)] == ["/fails"]


def test_twenty_at_once_are_all_answered(stocked: Shop, app: FastAPI) -> None:
    async def ask(client: httpx.AsyncClient, user: int) -> list[int]:
        found = []
        for turn in range(10):
            path = f"/reco/als/{user}" if turn % 2 else f"/reco/als/{user}?k=10"
            answer = await client.get(path)
            assert answer.json()["items"] == list_of(user)[:10]
            found.append(answer.status_code)
        return found

    async def together() -> list[list[int]]:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://reader", headers=ARMED) as client,
        ):
            return await asyncio.gather(*(ask(client, user) for user in range(1, 21)))

    assert {status for found in asyncio.run(together()) for status in found} == {200}
    assert app.state.profiles.newest_first()
