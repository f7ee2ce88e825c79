import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from api.reader import READ_SECONDS
from store.connection import connect
from store.embedded import EmbeddedRedis, free_port
from store.generation import FORMAT
from store.items import ItemOverlay
from store.keys import Keys
from tests.api.caller import Caller, calling
from tests.api.conftest import EVENTS, READ
from tests.api.shop import MOST_POPULAR, USERS, Shop, item, list_of
from tests.waiting import wait_until
from topshelf.settings import Settings

DEADLINE_SECONDS = 20.0
NEVER_ASKED = 9
"""Somebody of another bucket than 7."""


def generation_of(api: Caller) -> str:
    return str(api.get("/reco/als/7").headers.get("X-Reco-Generation", ""))


class TestFollowing:
    def test_a_model_published_later_is_served_without_a_restart(self, shop: Shop, api: Caller) -> None:
        assert api.get("/reco/als/7").status_code == 404
        shop.publish_all()
        wait_until(lambda: api.get("/reco/als/7").status_code == 200)
        assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]

    def test_a_new_generation_replaces_the_old_one(self, stocked: Shop, api: Caller) -> None:
        stocked.publish_lists(shift=3)
        wait_until(lambda: generation_of(api) == "2")
        assert api.get("/reco/als/7").json()["items"] == list_of(7, shift=3)[:10]

    def test_a_generation_of_a_later_format_is_not_misread_and_the_one_before_stays(
        self, stocked: Shop, app: FastAPI
    ) -> None:
        with calling(app, READ) as api:
            before = api.get("/reco/als/7").json()
            client, keys = stocked.client, stocked.keys
            later = stocked.begin("als")
            client.hset(keys.generation("als", later.id), mapping={"format": FORMAT + 1, "state": "live"})
            client.set(keys.live("als"), later.id)
            stocked.publish_popular()
            wait_until(lambda: api.get("/health").json()["models"]["popular"] == "2")
            assert generation_of(api) == "1"
            assert api.get("/reco/als/7").json() == before

    def test_a_redis_that_comes_back_empty_leaves_lists_from_memory_until_it_is_stocked(
        self, stocked: Shop, api: Caller
    ) -> None:
        ItemOverlay(stocked.client, stocked.keys).hide(str(item(3)))
        wait_until(lambda: item(3) not in api.get("/reco/als/3").json()["items"])
        stocked.client.flushdb()
        wait_until(lambda: api.get("/health/ready").status_code == 503)
        assert "lost als, item_knn" in api.get("/health/ready").json()["errors"][0]["error_message"]
        for model in ("als", "popular"):
            assert len(api.get(f"/reco/{model}/7").json()["items"]) == 10
        assert item(3) not in api.get("/reco/als/3").json()["items"]
        stocked.generations.next_fence("als", above=7)
        stocked.publish_all()
        wait_until(lambda: api.get("/health/ready").status_code == 200)
        assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]

    def test_lists_of_what_redis_lost_are_those_remembered_and_stale_until_it_is_published_again(
        self, stocked: Shop, api: Caller
    ) -> None:
        for _ in range(2):  # the second time its bucket is kept
            assert "X-Reco-Stale" not in api.get("/reco/als/7").headers
        stocked.client.flushdb()
        api.app_refresh()
        remembered = ("cache", list_of(7)[:10])
        popular = ("popular", [item(index) for index in MOST_POPULAR[:10]])
        for user, expected in ((7, remembered), (NEVER_ASKED, popular)):
            for way in ("", "?exclude="):  # the hot route, and the long one
                answer = api.get(f"/reco/als/{user}{way}")
                assert (answer.headers["X-Reco-Source"], answer.json()["items"]) == expected
                assert answer.headers["X-Reco-Stale"] == "true"
        many = api.post("/reco/als", json={"user_ids": [7]})
        assert many.json()["results"][0]["items"] == list_of(7)[:10]
        assert many.headers["X-Reco-Stale"] == "true"
        assert api.get("/reco/popular/7").headers["X-Reco-Stale"] == "true"
        assert 'topshelf_stale_lists_total{model="als"} 5.0' in api.get("/metrics").text

        stocked.generations.next_fence("als", above=7)
        stocked.publish_all()
        api.app_refresh()
        for user in (7, NEVER_ASKED):
            answer = api.get(f"/reco/als/{user}")
            assert answer.headers["X-Reco-Source"] == "cache"
            assert answer.json()["items"] == list_of(user)[:10]
            assert "X-Reco-Stale" not in answer.headers
        assert 'topshelf_stale_lists_total{model="als"} 5.0' in api.get("/metrics").text

    def test_what_was_lost_stays_so_until_what_is_live_again_is_loaded(
        self, stocked: Shop, api: Caller
    ) -> None:
        stocked.client.flushdb()
        api.app_refresh()
        stocked.generations.next_fence("als", above=7)
        stocked.publish_lists(dataset="lost")  # its catalogue is not there
        stocked.write_catalog("d2")
        stocked.publish_lists("bpr", dataset="d2")
        wait_until(lambda: api.get("/reco/bpr/7").status_code == 200)
        assert generation_of(api) == "1"
        assert api.get("/reco/als/7").headers["X-Reco-Stale"] == "true"
        assert "X-Reco-Stale" not in api.get("/reco/bpr/7").headers

    def test_what_users_do_is_known_though_their_lists_are_lost(self, stocked: Shop, api: Caller) -> None:
        for _ in range(2):
            api.get("/reco/als/7")
        stocked.client.flushdb()
        stocked.touch(7, "107")
        api.app_refresh()
        answer = api.get("/reco/als/7")
        assert answer.json()["items"] == list_of(7)[1:11]
        assert answer.headers["X-Reco-Stale"] == "true"

    def test_a_redis_that_has_everything_again_is_read_as_before(self, stocked: Shop, api: Caller) -> None:
        live = stocked.keys.live("als")
        pointer = stocked.client.get(live) or ""
        stocked.client.delete(live)
        wait_until(lambda: "X-Reco-Stale" in api.get("/reco/als/7").headers)
        stocked.client.set(live, pointer)
        wait_until(lambda: "X-Reco-Stale" not in api.get("/reco/als/7").headers)
        assert api.get("/reco/als/8").headers["X-Reco-Source"] == "cache"

    def test_a_delta_gives_its_users_newer_lists_and_is_dropped_by_a_rollback(
        self, stocked: Shop, api: Caller
    ) -> None:
        base = stocked.generations.live("als")
        assert base is not None
        stocked.publish_delta(base, [7, 900], shift=3)
        wait_until(lambda: generation_of(api) == "1:2")
        assert api.get("/reco/als/7").json()["items"] == list_of(7, shift=3)[:10]
        assert api.get("/reco/als/8").json()["items"] == list_of(8)[:10]
        newcomer = api.get("/reco/als/900")
        assert newcomer.json()["items"] == list_of(900, shift=3)[:10]
        assert newcomer.headers["X-Reco-Source"] == "cache"

        stocked.publish_delta(base, [8], shift=5)
        wait_until(lambda: generation_of(api) == "1:3")
        assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]
        assert api.get("/reco/als/8").json()["items"] == list_of(8, shift=5)[:10]

        stocked.generations.rollback("als")
        wait_until(lambda: generation_of(api) == "1")
        assert api.get("/reco/als/8").json()["items"] == list_of(8)[:10]

    def test_a_delta_makes_no_list_look_younger(self, stocked: Shop, api: Caller) -> None:
        base = stocked.generations.live("als")
        assert base is not None
        record = stocked.keys.generation("als", base.id)
        stocked.client.hset(record, "published", "2026-01-01T00:00:00+00:00")
        stocked.publish_delta(base, [7], shift=3)
        wait_until(lambda: generation_of(api) == "1:2")
        for user in (7, 8):
            assert int(api.get(f"/reco/als/{user}").headers["X-Reco-Age"]) > 86_400

    def test_a_rollback_elsewhere_takes_effect_within_a_second(self, stocked: Shop, api: Caller) -> None:
        stocked.publish_lists(shift=3)
        wait_until(lambda: generation_of(api) == "2")
        stocked.generations.rollback("als")
        assert wait_until(lambda: generation_of(api) == "1") < 1

    def test_a_generation_on_a_new_dataset_brings_its_catalogue(self, stocked: Shop, api: Caller) -> None:
        stocked.write_catalog("d2")
        stocked.publish_lists(dataset="d2", shift=5)
        wait_until(lambda: generation_of(api) == "2")
        assert api.get("/reco/als/7?category=Rare").json()["items"]

    def test_a_generation_without_its_catalogue_leaves_the_one_before_in_place(
        self, stocked: Shop, api: Caller
    ) -> None:
        stocked.publish_lists(dataset="lost", shift=5)
        stocked.publish_lists("bpr", shift=2)
        wait_until(lambda: api.get("/reco/bpr/7").status_code == 200)
        assert generation_of(api) == "1"
        assert api.get("/health/ready").status_code == 200

    def test_an_item_hidden_elsewhere_is_gone_soon(self, stocked: Shop, api: Caller) -> None:
        ItemOverlay(stocked.client, stocked.keys).hide("107")
        wait_until(lambda: 107 not in api.get("/reco/als/7").json()["items"])

    def test_what_was_hidden_before_the_start_is_hidden(self, stocked: Shop, app: FastAPI) -> None:
        ItemOverlay(stocked.client, stocked.keys).hide("107")
        with calling(app, READ) as api:
            assert 107 not in api.get("/reco/als/7").json()["items"]


def test_while_generations_are_published_every_answer_is_of_one_of_them(stocked: Shop, app: FastAPI) -> None:
    shifts = {"1": 0}
    answers: list[tuple[int, httpx.Response]] = []

    async def read(client: httpx.AsyncClient, user: int, done: asyncio.Event) -> None:
        while not done.is_set():
            answers.append((user, await client.get(f"/reco/als/{user}")))
            # While Redis counts as slow, answers come from memory and give nobody else a turn.
            await asyncio.sleep(0)

    async def publish(shift: int) -> None:
        generation = await asyncio.to_thread(stocked.publish_lists, shift=shift)
        shifts[generation.id] = shift
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not answers or answers[-1][1].headers["X-Reco-Generation"] != generation.id:
                await asyncio.sleep(0.01)

    async def publish_while_32_read() -> None:
        done, transport = asyncio.Event(), httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://reader", headers=READ) as client,
            asyncio.TaskGroup() as readers,
        ):
            for user in USERS[:32]:
                readers.create_task(read(client, user, done))
            try:
                for shift in range(1, 6):
                    await publish(shift)
            finally:
                done.set()

    asyncio.run(publish_while_32_read())
    fresh = [(user, answer) for user, answer in answers if "X-Reco-Stale" not in answer.headers]
    assert len(fresh) > 100
    assert {answer.status_code for _, answer in answers} == {200}
    for user, answer in fresh:
        shift = shifts[answer.headers["X-Reco-Generation"]]
        assert answer.json()["items"] == list_of(user, shift)[:10]


class TestWithoutRedis:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[EmbeddedRedis]:
        with EmbeddedRedis(tmp_path / "redis", port=free_port()) as server:
            yield server

    @pytest.fixture
    def lonely(self, server: EmbeddedRedis, settings: Settings, keys: Keys) -> Settings:
        """Settings for a Redis that may be stopped, with everything live in it."""
        with connect(server.url) as client:
            Shop(client, keys).publish_all()
        url = SecretStr(server.url)
        return settings.model_copy(update={"serving_url": url, "durable_url": url})

    def test_lists_come_from_memory_and_the_health_says_so(
        self, server: EmbeddedRedis, lonely: Settings
    ) -> None:
        with calling(create_app(lonely), READ) as api:
            assert api.get("/health/ready").status_code == 200
            server.stop()
            for _ in range(20):
                answer = api.get("/reco/als/7")
                assert answer.status_code == 200
                assert answer.json()["items"] == [item(index) for index in MOST_POPULAR[:10]]
                assert answer.headers["X-Reco-Source"] == "popular"
                assert answer.headers["X-Reco-Stale"] == "true"
            many = api.post("/reco/als", json={"user_ids": [1, 2]})
            assert many.status_code == 200
            assert many.headers["X-Reco-Stale"] == "true"
            assert api.post("/reco/als/session", json={"items": [105]}).json()["source"] == "knn"
            ready = api.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["errors"][0]["error_key"] == "store_unavailable"
            assert api.get("/health").json()["status"] == "stale"
            assert api.get("/health/live").status_code == 200

            server.start()
            wait_until(lambda: api.get("/health/ready").status_code == 200)
            answer = api.get("/reco/als/7")
            assert answer.json()["items"] == list_of(7)[:10]
            assert "X-Reco-Stale" not in answer.headers

    def test_a_redis_that_hangs_holds_up_nobody_for_long(
        self, server: EmbeddedRedis, lonely: Settings
    ) -> None:
        with calling(create_app(lonely), READ) as api:
            os.kill(server.pid, signal.SIGSTOP)
            try:
                started = time.monotonic()
                answers = [api.get("/reco/als/7") for _ in range(50)]
                took = time.monotonic() - started
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert {answer.status_code for answer in answers} == {200}
            assert {answer.headers["X-Reco-Stale"] for answer in answers} == {"true"}
            assert took < 50 * READ_SECONDS / 2
            wait_until(lambda: "X-Reco-Stale" not in api.get("/reco/als/7").headers)

    def test_what_needs_redis_is_refused_in_one_shape(self, server: EmbeddedRedis, lonely: Settings) -> None:
        with calling(create_app(lonely), EVENTS) as sender:
            server.stop()
            for answer in (
                sender.post("/events", json={"user_id": 7, "item_id": 107}),
                sender.put("/users/7", json={}),
                sender.get("/models"),
            ):
                assert answer.status_code == 503
                assert answer.json()["errors"][0]["error_key"] == "store_unavailable"
                assert answer.headers["Retry-After"]
                assert str(server.port) not in answer.text

    def test_a_reader_started_before_redis_begins_to_serve_when_it_comes(
        self, server: EmbeddedRedis, lonely: Settings
    ) -> None:
        server.stop()
        with calling(create_app(lonely), READ) as api:
            assert api.get("/reco/als/7").status_code == 503
            assert api.get("/health").json()["status"] == "starting"
            assert api.get("/health/ready").status_code == 503
            server.start()
            wait_until(lambda: api.get("/reco/als/7").status_code == 200)
