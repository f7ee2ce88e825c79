from typing import Any

import pytest

from tests.api.caller import Caller
from tests.api.shop import K_STORE, MOST_POPULAR, Shop, categories_of, item, list_of, row_of


def items_of(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    items: list[int] = answer.json()["items"]
    return items


def index_of(item_id: int) -> int:
    return item_id - item(0)


class TestAStockedUser:
    def test_gets_the_first_ten_of_the_row(self, stocked: Shop, api: Caller) -> None:
        answer = api.get("/reco/als/7")
        assert answer.json() == {"user_id": 7, "items": list_of(7)[:10]}
        assert answer.headers["X-Reco-Source"] == "cache"
        assert answer.headers["X-Reco-Generation"] == str(stocked.generations.pointer("als"))
        assert 0 <= int(answer.headers["X-Reco-Age"]) < 60
        assert "X-Reco-Stale" not in answer.headers

    def test_gets_the_scores_of_the_row_where_asked_for(self, stocked: Shop, api: Caller) -> None:
        stocked.publish_lists("bpr", score_width=2)
        api.app_refresh()
        answer = api.get("/reco/bpr/7?scores=true").json()
        assert answer["items"] == list_of(7)[:10]
        assert answer["scores"] == [index_of(one) / 2 for one in answer["items"]]
        assert "scores" not in api.get("/reco/bpr/7").json()
        assert "scores" not in api.get("/reco/bpr/7?scores=false").json()

    def test_gets_no_score_for_what_is_not_of_the_row(self, stocked: Shop, api: Caller) -> None:
        stocked.publish_lists("bpr", {7: row_of(7)[:4]}, score_width=2)
        api.app_refresh()
        answer = api.get("/reco/bpr/7?scores=true&exclude=107").json()
        assert answer["items"][:3] == list_of(7)[1:4]
        assert answer["scores"] == [index_of(one) / 2 for one in list_of(7)[1:4]] + [None] * 7

    def test_gets_no_scores_where_none_are_stored(self, stocked: Shop, api: Caller) -> None:
        for user in (7, 999):
            assert api.get(f"/reco/als/{user}?scores=true").json()["scores"] == [None] * 10

    @pytest.mark.parametrize("k", [1, 10, K_STORE])
    def test_gets_as_many_as_asked(self, stocked: Shop, api: Caller, k: int) -> None:
        assert items_of(api.get(f"/reco/als/7?k={k}")) == list_of(7)[:k]

    @pytest.mark.parametrize("k", ["0", "-1", str(K_STORE + 1), "ten", "1.5"])
    def test_is_told_when_k_is_out_of_range(self, stocked: Shop, api: Caller, k: str) -> None:
        answer = api.get(f"/reco/als/7?k={k}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["error_loc"] == ["query", "k"]

    def test_of_dense_index_zero_is_like_any_other(self, stocked: Shop, api: Caller) -> None:
        assert items_of(api.get("/reco/als/1")) == list_of(1)[:10]

    def test_may_be_named_with_leading_zeros(self, stocked: Shop, api: Caller) -> None:
        assert api.get("/reco/als/007").json() == {"user_id": 7, "items": list_of(7)[:10]}

    @pytest.mark.parametrize(
        "query", ["exclude=107&exclude=109", "exclude=107,109", "exclude=0107,%20109,x,"]
    )
    def test_gets_none_of_the_excluded_items(self, stocked: Shop, api: Caller, query: str) -> None:
        items = items_of(api.get(f"/reco/als/7?{query}"))
        assert items == [kept for kept in list_of(7) if kept not in {107, 109}]
        assert len(items) == 10

    def test_gets_only_items_of_the_category_and_still_ten(self, stocked: Shop, api: Caller) -> None:
        answer = api.get("/reco/als/7?category=Comedy")
        items = items_of(answer)
        assert len(set(items)) == 10
        assert all("Comedy" in categories_of(index_of(one)) for one in items)
        assert items[:6] == [one for one in list_of(7) if one % 2 == 0]
        assert answer.headers["X-Reco-Source"] == "cache"

    def test_gets_all_there_is_of_a_small_category(self, stocked: Shop, api: Caller) -> None:
        assert sorted(items_of(api.get("/reco/als/7?category=Rare"))) == [100, 110, 120]

    def test_is_told_the_nearest_categories(self, stocked: Shop, api: Caller) -> None:
        answer = api.get("/reco/als/7?category=comedie")
        assert answer.status_code == 422
        assert "Comedy" in answer.json()["errors"][0]["error_message"]
        assert answer.json()["errors"][0]["error_loc"] == ["query", "category"]

    def test_is_topped_up_by_neighbours_then_by_what_is_popular(self, stocked: Shop, api: Caller) -> None:
        left = ",".join(str(one) for one in list_of(7)[1:])
        answer = api.get(f"/reco/als/7?exclude={left}")
        items = items_of(answer)
        assert items[0] == 107
        assert len(set(items)) == 10
        assert not set(items) & set(list_of(7)[1:])
        assert answer.headers["X-Reco-Source"] == "cache"

    def test_gets_what_popular_has_when_nothing_of_the_row_is_left(self, stocked: Shop, api: Caller) -> None:
        left = ",".join(str(item(index)) for index in range(25))
        answer = api.get(f"/reco/als/7?exclude={left}")
        assert sorted(items_of(answer)) == [item(index) for index in range(25, 30)]
        assert answer.headers["X-Reco-Source"] in {"knn", "popular"}

    def test_does_not_get_what_was_touched_since(self, stocked: Shop, api: Caller) -> None:
        stocked.touch(7, "107", "108")
        api.app_refresh()
        items = items_of(api.get("/reco/als/7"))
        assert items == list_of(7)[2:12]

    def test_with_a_short_row_gets_ten_all_the_same(self, shop: Shop, api: Caller) -> None:
        shop.write_catalog()
        shop.publish_lists(rows={1: [3, 4]})
        api.app_refresh()
        items = items_of(api.get("/reco/als/1"))
        assert items[:2] == [103, 104]
        assert len(set(items)) == 10


class TestAUserWithoutARow:
    def test_gets_what_is_popular(self, stocked: Shop, api: Caller) -> None:
        answer = api.get("/reco/als/999")
        assert items_of(answer) == [item(index) for index in MOST_POPULAR[:10]]
        assert answer.headers["X-Reco-Source"] == "popular"

    def test_gets_neighbours_of_recent_items(self, stocked: Shop, api: Caller) -> None:
        stocked.touch(999, "105")
        api.app_refresh()
        answer = api.get("/reco/als/999?k=4")
        assert items_of(answer) == [106, 107, 108, 109]
        assert answer.headers["X-Reco-Source"] == "knn"

    def test_gets_ten_even_where_there_are_fewer_neighbours(self, stocked: Shop, api: Caller) -> None:
        stocked.touch(999, "105")
        api.app_refresh()
        items = items_of(api.get("/reco/als/999"))
        assert items[:6] == [106, 107, 108, 109, 110, 111]
        assert len(set(items)) == 10
        assert 105 not in items

    def test_gets_what_is_popular_in_the_favourite_category(self, stocked: Shop, api: Caller) -> None:
        stocked.put_profile(999, "Nowhere", "Drama")
        api.app_refresh()
        answer = api.get("/reco/als/999")
        assert answer.headers["X-Reco-Source"] == "popular_in_category"
        assert items_of(answer) == [item(index) for index in MOST_POPULAR if index % 2 == 1][:10]

    def test_gets_popular_where_only_unknown_items_were_touched(self, stocked: Shop, api: Caller) -> None:
        stocked.touch(999, "77777", "not-a-number")
        api.app_refresh()
        assert api.get("/reco/als/999").headers["X-Reco-Source"] == "popular"

    @pytest.mark.parametrize("user", ["abc", "-1", "1001", "9" * 20, "1.0", "0x1", "٣", "", "%00"])
    def test_whom_the_dataset_cannot_have_is_not_found(self, stocked: Shop, api: Caller, user: str) -> None:
        answer = api.get(f"/reco/als/{user}")
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["error_key"] == "user_not_found"


class TestSegments:
    @pytest.mark.parametrize(
        ("user", "source", "first"),
        [(1, "popular_in_category", 128), (2, "popular_in_category", 129), (3, "popular", 129)],
    )
    def test_a_users_row_names_the_segment(
        self, stocked: Shop, api: Caller, user: int, source: str, first: int
    ) -> None:
        answer = api.get(f"/reco/popular_in_category/{user}")
        assert items_of(answer)[0] == first
        assert answer.headers["X-Reco-Source"] == source

    def test_the_category_asked_for_comes_before_the_users_own(self, stocked: Shop, api: Caller) -> None:
        answer = api.get("/reco/popular_in_category/1?category=Drama")
        assert items_of(answer) == [item(index) for index in MOST_POPULAR if index % 2 == 1][:10]
        assert answer.headers["X-Reco-Source"] == "popular_in_category"

    def test_somebody_new_is_put_where_the_recent_items_are(self, stocked: Shop, api: Caller) -> None:
        stocked.touch(999, "102", "103", "101")
        api.app_refresh()
        answer = api.get("/reco/popular_in_category/999")
        assert answer.headers["X-Reco-Source"] == "popular_in_category"
        assert set(items_of(answer)) == {item(index) for index in range(11, 30, 2)}

    def test_somebody_new_with_a_favourite_category_gets_that(self, stocked: Shop, api: Caller) -> None:
        stocked.put_profile(999, "Comedy")
        api.app_refresh()
        assert items_of(api.get("/reco/popular_in_category/999"))[0] == 128

    def test_popular_drops_what_the_user_touched(self, stocked: Shop, api: Caller) -> None:
        stocked.touch(1, "129")
        api.app_refresh()
        answer = api.get("/reco/popular/1")
        assert items_of(answer) == [item(index) for index in MOST_POPULAR[1:11]]
        assert answer.headers["X-Reco-Source"] == "popular"


def test_an_unknown_model_is_not_found_and_the_live_ones_are_named(stocked: Shop, api: Caller) -> None:
    answer = api.get("/reco/alz/1")
    assert answer.status_code == 404
    [error] = answer.json()["errors"]
    assert error["error_key"] == "model_not_found"
    assert "als, item_knn, popular, popular_in_category" in error["error_message"]


def test_string_ids_stay_strings_slashes_included(shop: Shop, api: Caller) -> None:
    shop.write_catalog(strings=True)
    shop.publish_lists(rows={"a/b": [1, 2], "7": [3], "ü é": [4]})
    api.app_refresh()
    assert api.get("/reco/als/a/b?k=2").json() == {"user_id": "a/b", "items": ["item/1", "item/2"]}
    assert api.get("/reco/als/7?k=1").json() == {"user_id": "7", "items": ["item/3"]}
    assert api.get("/reco/als/ü é?k=1").json() == {"user_id": "ü é", "items": ["item/4"]}
    assert api.get("/reco/als/?k=1").status_code == 404


class TestManyUsers:
    def test_each_gets_the_list_a_single_call_gives(self, stocked: Shop, api: Caller) -> None:
        answer = api.post("/reco/als", json={"user_ids": [1, 50, 999], "k": 3})
        assert answer.status_code == 200
        results = answer.json()["results"]
        assert [result["user_id"] for result in results] == [1, 50, 999]
        assert [result["source"] for result in results] == ["cache", "cache", "popular"]
        for result in results:
            assert result["items"] == api.get(f"/reco/als/{result['user_id']}?k=3").json()["items"]
            assert result["error"] is None
        assert answer.headers["X-Reco-Generation"] == "1"

    def test_a_user_the_dataset_cannot_have_fails_alone(self, stocked: Shop, api: Caller) -> None:
        users = ["1", -1, 1.5, None, True, [1], 1001, 2]
        results = api.post("/reco/als", json={"user_ids": users}).json()["results"]
        assert [result["user_id"] for result in results] == users
        assert {result["error"]["error_key"] for result in results[:-1]} == {"user_not_found"}
        assert results[-1]["items"] == list_of(2)[:10]

    def test_a_thousand_are_taken_and_one_more_is_not(self, stocked: Shop, api: Caller) -> None:
        assert len(api.post("/reco/als", json={"user_ids": [5] * 1000}).json()["results"]) == 1000
        assert api.post("/reco/als", json={"user_ids": [5] * 1001}).status_code == 422

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"user_ids": []},
            {"user_ids": 5},
            {"user_ids": [1], "k": 0},
            {"user_ids": [1], "k": 13},
            {"user_ids": [1], "x": 1},
            [],
        ],
    )
    def test_a_body_that_does_not_fit_is_refused(self, stocked: Shop, api: Caller, body: Any) -> None:
        assert api.post("/reco/als", json=body).status_code == 422

    def test_category_and_exclude_hold_for_all(self, stocked: Shop, api: Caller) -> None:
        body = {"user_ids": [1, 2], "category": "Drama", "exclude": [101]}
        for result in api.post("/reco/als", json=body).json()["results"]:
            assert len(result["items"]) == 10
            assert all(one % 2 == 1 and one != 101 for one in result["items"])
