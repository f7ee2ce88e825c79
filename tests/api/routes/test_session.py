from typing import Any

import pytest

from tests.api.caller import Caller
from tests.api.shop import MOST_POPULAR, N_ITEMS, Shop, item


def test_a_session_gets_neighbours_of_its_items(stocked: Shop, api: Caller) -> None:
    answer = api.post("/reco/als/session", json={"items": [105], "k": 3})
    assert answer.json() == {"items": [106, 107, 108], "source": "knn"}
    assert answer.headers["X-Reco-Source"] == "knn"


def test_unknown_items_count_for_nothing(stocked: Shop, api: Caller) -> None:
    answer = api.post("/reco/als/session", json={"items": [424242, 105], "k": 2})
    assert answer.json() == {"items": [106, 107], "source": "knn"}


@pytest.mark.parametrize("items", [[], [424242]])
def test_a_session_that_says_nothing_gets_what_is_popular(
    stocked: Shop, api: Caller, items: list[int]
) -> None:
    answer = api.post("/reco/als/session", json={"items": items})
    assert answer.json() == {"items": [item(index) for index in MOST_POPULAR[:10]], "source": "popular"}


def test_a_session_may_ask_for_a_category(stocked: Shop, api: Caller) -> None:
    answer = api.post("/reco/als/session", json={"items": [105], "category": "Drama", "exclude": [107]})
    assert answer.json()["items"][:2] == [109, 111]
    assert len(answer.json()["items"]) == 10


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"items": ["105"]}, ["body", "items", 0]),
        ({"items": [105, 1.5]}, ["body", "items", 1]),
        ({"items": [105, None]}, ["body", "items", 1]),
        ({"items": [105], "k": 0}, ["body", "k"]),
        ({"items": [105], "k": 13}, ["body", "k"]),
        ({"items": [105], "category": "nowhere"}, ["body", "category"]),
        ({}, ["body", "items"]),
    ],
)
def test_a_body_that_does_not_fit_is_refused(
    stocked: Shop, api: Caller, body: dict[str, Any], loc: list[str | int]
) -> None:
    answer = api.post("/reco/als/session", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["error_loc"][: len(loc)] == loc


def test_a_session_too_long_for_the_event_loop_gets_the_same_list(shop: Shop, api: Caller) -> None:
    shop.write_catalog()
    shop.publish_item_knn(neighbours=N_ITEMS - 1)
    api.app_refresh()
    short = api.post("/reco/item_knn/session", json={"items": [105, 120], "k": 3})
    long = api.post("/reco/item_knn/session", json={"items": [424242] * 998 + [105, 120], "k": 3})
    assert long.json() == short.json()
    assert long.json()["source"] == "knn"


def test_without_neighbours_a_session_gets_what_is_popular(shop: Shop, api: Caller) -> None:
    shop.write_catalog()
    shop.publish_popular()
    api.app_refresh()
    assert api.post("/reco/popular/session", json={"items": [105]}).json()["source"] == "popular"


def test_an_unknown_model_is_not_found(stocked: Shop, api: Caller) -> None:
    assert api.post("/reco/nothing/session", json={"items": []}).status_code == 404
