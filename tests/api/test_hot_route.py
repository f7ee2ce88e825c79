"""The hot route gives what the long way gives; a parameter that changes nothing sends a request there."""

import pytest
from fastapi import FastAPI

from api.app import create_app
from tests.api.caller import Caller, calling
from tests.api.conftest import EVENTS, READ
from tests.api.shop import USERS, Shop, item, list_of
from topshelf.settings import Settings

LONG_WAY = "?exclude="
HEADERS = ("X-Reco-Source", "X-Reco-Generation", "X-Reco-Stale", "Content-Type")


def assert_alike(api: Caller, path: str) -> None:
    hot, long = api.get(path), api.get(path + LONG_WAY)
    assert hot.content == long.content
    assert hot.status_code == long.status_code
    assert [hot.headers.get(name) for name in HEADERS] == [long.headers.get(name) for name in HEADERS]
    assert int(hot.headers["Content-Length"]) == len(hot.content)


@pytest.mark.parametrize("model", ["als", "item_knn", "popular", "popular_in_category"])
def test_every_user_gets_the_same_either_way(stocked: Shop, api: Caller, model: str) -> None:
    stocked.touch(3, "104", "120")
    stocked.touch(999, "105")
    stocked.put_profile(998, "Drama")
    api.app_refresh()
    for _ in range(3):  # from Redis, with the whole bucket, out of memory
        for user in (*USERS[:10], 997, 998, 999):
            assert_alike(api, f"/reco/{model}/{user}")


@pytest.mark.parametrize("cache_mb", [0, 32])
def test_with_a_delta_everybody_gets_the_same_either_way(
    stocked: Shop, settings: Settings, cache_mb: int
) -> None:
    base = stocked.generations.live("als")
    assert base is not None
    stocked.publish_delta(base, [*USERS[:5], 900], shift=3)
    stocked.touch(3, "104", "120")
    with calling(create_app(settings.model_copy(update={"cache_mb": cache_mb})), READ) as api:
        for _ in range(4):
            for user in (*USERS[:10], 900, 997):
                assert_alike(api, f"/reco/als/{user}")
            assert api.get("/reco/als/1").json()["items"] == list_of(1, shift=3)[:10]
            assert api.get("/reco/als/9").json()["items"] == list_of(9)[:10]
            many = api.post("/reco/als", json={"user_ids": [1, 9, 900]}).json()["results"]
            lists = [list_of(1, shift=3), list_of(9), list_of(900, shift=3)]
            assert [answer["items"] for answer in many] == [items[:10] for items in lists]


@pytest.mark.parametrize("path", ["/reco/alz/1", "/reco/als/abc", "/reco/als/1001", "/reco/als/"])
def test_errors_are_those_of_the_long_way(stocked: Shop, api: Caller, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.json() == api.get(path + LONG_WAY).json()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic read-token"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "read-token"}, 401),
        ({"Authorization": "bearer read-token"}, 200),
        ({"authorization": "Bearer admin-token"}, 200),
    ],
)
def test_a_token_is_wanted(stocked: Shop, api: Caller, header: dict[str, str], status: int) -> None:
    assert api.as_(header).get("/reco/als/1").status_code == status


def test_an_item_touched_here_is_gone_from_the_very_next_list(stocked: Shop, api: Caller) -> None:
    sender = api.as_(EVENTS)
    for user in USERS[:10]:
        for _ in range(3):
            assert api.get(f"/reco/als/{user}").json()["items"] == list_of(user)[:10]
        touched = list_of(user)[0]
        assert sender.post("/events", json={"user_id": user, "item_id": touched}).status_code == 202
        assert api.get(f"/reco/als/{user}").json()["items"] == list_of(user)[1:11]


def test_an_item_hidden_here_is_gone_from_the_very_next_list(
    stocked: Shop, api: Caller, admin: Caller
) -> None:
    for _ in range(3):
        assert item(7) in api.get("/reco/als/7").json()["items"]
    admin.delete(f"/items/{item(7)}")
    assert_alike(api, "/reco/als/7")
    assert item(7) not in api.get("/reco/als/7").json()["items"]
    admin.put(f"/items/{item(7)}", json={})
    assert item(7) in api.get("/reco/als/7").json()["items"]


def test_what_was_touched_before_the_start_is_known(stocked: Shop, app: FastAPI) -> None:
    stocked.touch(7, "107")
    with calling(app, READ) as api:
        assert api.get("/reco/als/7").json()["items"] == list_of(7)[1:11]


def test_a_reader_that_keeps_no_buckets_serves_the_same(stocked: Shop, settings: Settings) -> None:
    with calling(create_app(settings.model_copy(update={"cache_mb": 0})), READ) as api:
        for _ in range(3):
            assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]


def test_string_ids_are_encoded_as_json(shop: Shop, api: Caller) -> None:
    shop.write_catalog(strings=True)
    shop.publish_lists(rows={user: range(10) for user in ('a"b', "ü/é", "7")})
    api.app_refresh()
    for user in ("a%22b", "%C3%BC/%C3%A9", "7", "%F0%9F%A6%8A"):
        assert_alike(api, f"/reco/als/{user}")
    assert api.get("/reco/als/a%22b").json()["user_id"] == 'a"b'
    assert api.get("/reco/als/7").json()["user_id"] == "7"


def test_the_way_a_request_goes_makes_no_difference_to_the_figures(stocked: Shop, api: Caller) -> None:
    for path in ("/reco/als/1", "/reco/als/1" + LONG_WAY, "/reco/als/999"):
        api.get(path)
    text = api.get("/metrics").text
    route = 'route="/reco/{model_name}/{user_id:path}"'
    counted = f'topshelf_requests_total{{method="GET",model="als",{route},source='
    assert f'{counted}"cache",status="200"}} 2.0' in text
    assert f'{counted}"popular",status="200"}} 1.0' in text
    assert f'topshelf_request_seconds_count{{method="GET",{route}}} 3.0' in text
    assert 'topshelf_lists_total{model="als",source="cache"} 2.0' in text
    assert 'topshelf_lists_total{model="als",source="popular"} 1.0' in text
