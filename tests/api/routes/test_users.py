from typing import Any

import pytest

from tests.api.caller import Caller
from tests.api.shop import Shop


def test_a_favourite_category_decides_what_somebody_new_gets(stocked: Shop, sender: Caller) -> None:
    answer = sender.put("/users/0600", json={"categories": ["Comedy"], "features": {"age": 30}})
    assert answer.json() == {"user_id": 600, "categories": ["Comedy"], "features": {"age": 30}}
    reco = sender.get("/reco/als/600")
    assert reco.headers["X-Reco-Source"] == "popular_in_category"
    assert all(one % 2 == 0 for one in reco.json()["items"])


def test_what_was_known_is_replaced(stocked: Shop, sender: Caller) -> None:
    sender.put("/users/600", json={"categories": ["Comedy"]})
    sender.put("/users/600", json={"features": {"age": 30}})
    assert sender.get("/reco/als/600").headers["X-Reco-Source"] == "popular"


@pytest.mark.parametrize("user", ["abc", "-1", "1001"])
def test_a_user_the_dataset_cannot_have_is_not_found(stocked: Shop, sender: Caller, user: str) -> None:
    answer = sender.put(f"/users/{user}", json={})
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["error_key"] == "user_not_found"


@pytest.mark.parametrize("body", [{"categories": [1]}, {"colour": "red"}, {"features": []}, "x"])
def test_a_body_that_does_not_fit_is_refused(stocked: Shop, sender: Caller, body: Any) -> None:
    assert sender.put("/users/600", json=body).status_code == 422
