from typing import Any

import pytest

from tests.api.caller import Caller
from tests.api.shop import Shop, item, list_of


class TestSimilar:
    def test_neighbours_come_nearest_first(self, stocked: Shop, api: Caller) -> None:
        answer = api.get("/items/105/similar?k=2")
        assert answer.json() == {"item_id": 105, "items": [106, 107], "scores": [1.0, 0.5]}

    def test_the_first_item_of_the_catalogue_has_neighbours_too(self, stocked: Shop, api: Caller) -> None:
        assert api.get("/items/100/similar?k=1").json()["items"] == [101]

    def test_a_hidden_neighbour_is_left_out(self, stocked: Shop, api: Caller, admin: Caller) -> None:
        admin.delete("/items/106")
        assert api.get("/items/105/similar?k=2").json()["items"] == [107, 108]

    @pytest.mark.parametrize("name", ["999", "abc", "1.5"])
    def test_an_item_that_is_not_in_the_catalogue_is_not_found(
        self, stocked: Shop, api: Caller, name: str
    ) -> None:
        answer = api.get(f"/items/{name}/similar")
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["error_key"] == "item_not_found"

    def test_without_a_neighbour_index_the_answer_says_so(self, shop: Shop, api: Caller) -> None:
        answer = api.get("/items/105/similar")
        assert answer.status_code == 404
        assert "item_knn" in answer.json()["errors"][0]["error_message"]


class TestHiding:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/reco/als/7", None),
            ("/reco/popular/7", None),
            ("/reco/popular_in_category/7", None),
            ("/reco/item_knn/7", None),
            ("/reco/als/999", None),
            ("/reco/als", {"user_ids": [7, 999]}),
            ("/reco/als/session", {"items": [106]}),
            ("/reco/als/session", {"items": []}),
        ],
    )
    def test_a_hidden_item_is_on_no_next_list_from_any_source(
        self, stocked: Shop, api: Caller, admin: Caller, path: str, body: dict[str, Any] | None
    ) -> None:
        for hidden in (107, 129):
            assert admin.delete(f"/items/{hidden}").json()["hidden"] is True
            answer = api.post(path, json=body) if body else api.get(path)
            assert answer.status_code == 200
            lists = [result["items"] for result in answer.json().get("results", [answer.json()])]
            assert all(hidden not in items and len(set(items)) == 10 for items in lists)

    def test_nine_remaining_items_are_topped_up_to_ten(self, shop: Shop, api: Caller, admin: Caller) -> None:
        shop.publish_all()
        shop.publish_lists("bpr", rows={1: list(range(10))})
        api.app_refresh()
        admin.delete("/items/104")
        items = api.get("/reco/bpr/1").json()["items"]
        assert items[:9] == [item(index) for index in range(10) if index != 4]
        assert len(set(items)) == 10

    def test_an_item_comes_back_when_it_is_put(self, stocked: Shop, api: Caller, admin: Caller) -> None:
        admin.delete("/items/107")
        assert admin.put("/items/107", json={}).json()["hidden"] is False
        assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]

    def test_an_item_may_be_hidden_before_anybody_knows_it(self, stocked: Shop, admin: Caller) -> None:
        assert admin.delete("/items/5000").status_code == 200

    def test_leading_zeros_name_the_same_item(self, stocked: Shop, api: Caller, admin: Caller) -> None:
        assert admin.delete("/items/0107").json()["item_id"] == 107
        assert 107 not in api.get("/reco/als/7").json()["items"]

    def test_everything_hidden_leaves_an_empty_list(self, stocked: Shop, api: Caller, admin: Caller) -> None:
        for index in range(30):
            admin.delete(f"/items/{item(index)}")
        assert api.get("/reco/als/7").json() == {"user_id": 7, "items": []}


class TestPutting:
    def test_new_categories_hold_at_once(self, stocked: Shop, api: Caller, admin: Caller) -> None:
        admin.put("/items/107", json={"categories": ["Silent"], "features": {"year": 1925}})
        assert api.get("/reco/als/7?category=Silent").json()["items"] == [107]
        assert 107 not in api.get("/reco/als/7?category=Drama").json()["items"]

    def test_a_field_left_out_is_left_alone(self, stocked: Shop, admin: Caller) -> None:
        admin.put("/items/107", json={"categories": ["Silent"]})
        answer = admin.put("/items/107", json={"features": {"year": 1925}, "hidden": True})
        assert answer.json() == {
            "item_id": 107,
            "hidden": True,
            "categories": ["Silent"],
            "features": {"year": 1925},
        }

    @pytest.mark.parametrize(
        "body",
        [
            {"categories": "Silent"},
            {"categories": [1]},
            {"categories": [""]},
            {"hidden": "maybe"},
            {"titel": "x"},
            {"features": {"a": [1]}},
            [],
        ],
    )
    def test_a_body_that_does_not_fit_is_refused(self, stocked: Shop, admin: Caller, body: Any) -> None:
        assert admin.put("/items/107", json=body).status_code == 422

    @pytest.mark.parametrize("name", ["abc", "1.5", "9" * 20])
    def test_an_id_of_the_wrong_type_is_not_found(self, stocked: Shop, admin: Caller, name: str) -> None:
        assert admin.put(f"/items/{name}", json={}).status_code == 404
        assert admin.delete(f"/items/{name}").status_code == 404
