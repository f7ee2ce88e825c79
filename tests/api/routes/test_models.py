import json
from typing import Any

import pytest

from tests.api.caller import Caller
from tests.api.shop import Shop, list_of


def of_model(answer: Any, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in answer.json()["models"] if one["model"] == name]
    [model] = found
    return model


def test_the_list_says_what_is_live(stocked: Shop, api: Caller) -> None:
    answer = api.get("/models")
    assert [one["model"] for one in answer.json()["models"]] == [
        "als",
        "item_knn",
        "popular",
        "popular_in_category",
    ]
    als = of_model(answer, "als")
    assert 0 <= als.pop("age_seconds") < 60
    assert als == {
        "model": "als",
        "pointer": "1",
        "state": "live",
        "dataset": "d1",
        "artifact": "als-d1",
        "n_users": 50,
        "n_items": 30,
        "hold": False,
    }


def test_before_anything_is_published_the_list_is_empty(api: Caller) -> None:
    assert api.get("/models").json() == {"models": []}


def test_a_model_that_is_only_being_built_has_no_pointer(shop: Shop, api: Caller) -> None:
    shop.begin("als")
    assert of_model(api.get("/models"), "als")["pointer"] is None


def test_generations_come_newest_first(stocked: Shop, api: Caller) -> None:
    stocked.publish_lists(shift=1)
    found = api.get("/models/als/generations").json()
    assert found["model"] == "als"
    assert [(one["id"], one["state"]) for one in found["generations"]] == [("2", "live"), ("1", "previous")]


def test_a_delta_names_its_base_and_the_histories_it_has(stocked: Shop, api: Caller) -> None:
    base = stocked.generations.live("als")
    assert base is not None
    stocked.publish_delta(base, [7], shift=3)
    delta, below = api.get("/models/als/generations").json()["generations"]
    assert [(one["state"], one["base"], one["histories"]) for one in (delta, below)] == [
        ("live", "1", "d2"),
        ("live", "", "d1"),
    ]
    assert (delta["n_users"], delta["overlap"], delta["changed"]) == (1, None, None)
    assert of_model(api.get("/models"), "als")["pointer"] == "1:2"


def test_generations_say_what_they_changed(stocked: Shop, api: Caller) -> None:
    next_one = stocked.begin("item_knn")
    record = stocked.keys.generation("item_knn", next_one.id)
    stocked.client.hset(record, mapping={"overlap": "0.75", "changed": "0.5"})
    [newest, _] = api.get("/models/item_knn/generations").json()["generations"]
    assert (newest["overlap"], newest["changed"]) == (0.75, 0.5)


def test_generations_say_how_their_lists_were_found_and_what_they_may_hold(
    stocked: Shop, api: Caller
) -> None:
    next_one = stocked.begin("item_knn")
    record = stocked.keys.generation("item_knn", next_one.id)
    rules = {"categories": ["drama"], "most_per_category": 3}
    found = {"search": "graph", "ef": "80", "recall": "0.996", "rules": json.dumps(rules)}
    for name, value in found.items():
        stocked.client.hset(record, name, value)
    [newest, older] = api.get("/models/item_knn/generations").json()["generations"]
    assert [newest[name] for name in found] == ["graph", 80, 0.996, rules]
    assert [older[name] for name in found] == ["exact", 0, None, {}]


@pytest.mark.parametrize(
    ("method", "what"), [("GET", "generations"), ("POST", "rollback"), ("POST", "release")]
)
def test_an_unknown_model_is_not_found(stocked: Shop, admin: Caller, method: str, what: str) -> None:
    answer = admin.request(method, f"/models/alz/{what}")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["error_key"] == "model_not_found"


def test_a_rollback_holds_for_the_next_answer_and_keeps_others_from_publishing(
    stocked: Shop, api: Caller, admin: Caller
) -> None:
    stocked.publish_lists(shift=1)
    api.app_refresh()
    assert api.get("/reco/als/7").json()["items"] == list_of(7, shift=1)[:10]

    assert admin.post("/models/als/rollback").json() == {"model": "als", "pointer": "1"}
    answer = api.get("/reco/als/7")
    assert answer.json()["items"] == list_of(7)[:10]
    assert answer.headers["X-Reco-Generation"] == "1"
    assert of_model(api.get("/models"), "als")["hold"] is True

    assert admin.post("/models/als/release").json() == {"model": "als", "released": True}
    assert admin.post("/models/als/release").json() == {"model": "als", "released": False}
    assert of_model(api.get("/models"), "als")["hold"] is False


def test_where_there_is_nothing_before_a_rollback_is_refused(stocked: Shop, admin: Caller) -> None:
    answer = admin.post("/models/als/rollback")
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["error_key"] == "nothing_to_roll_back"
