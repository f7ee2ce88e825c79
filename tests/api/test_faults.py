import logging

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.faults import has_fault
from tests.api.caller import Caller, calling
from tests.api.conftest import READ
from tests.api.shop import Shop, list_of
from tests.topshelf.reports.capturing import Capturing, reporting
from topshelf.reports import Reports
from topshelf.settings import Settings

FAULTY = 666


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """A reader with the switch on."""
    return create_app(settings.model_copy(update={"fault_users": True}))


@pytest.mark.parametrize("user", [666, 1332, 0, "666", "-1332", "0000666"])
def test_who_is_a_multiple_has_a_fault(user: int | str) -> None:
    assert has_fault(user)


@pytest.mark.parametrize("user", [1, 665, "667", "abc", "", "-", "6.66e2", " 666", "x666"])
def test_who_is_none_has_no_fault(user: int | str) -> None:
    assert not has_fault(user)


@pytest.mark.parametrize("path", [f"/reco/als/{FAULTY}", f"/reco/als/{FAULTY}?k=3"], ids=["hot", "long"])
def test_a_user_with_a_fault_fails_in_the_house_s_shape(stocked: Shop, api: Caller, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 500
    assert answer.json() == {
        "errors": [
            {
                "error_key": "internal_error",
                "error_message": "something went wrong here; it was logged",
                "error_loc": None,
            }
        ]
    }
    assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]


def test_of_many_users_one_with_a_fault_fails_the_call(stocked: Shop, api: Caller) -> None:
    assert api.post("/reco/als", json={"user_ids": [7, FAULTY]}).status_code == 500
    assert api.post("/reco/als", json={"user_ids": [7, 8]}).status_code == 200


def test_a_string_counts_where_it_is_a_number(shop: Shop, api: Caller) -> None:
    shop.write_catalog("d2", strings=True)
    shop.publish_lists(dataset="d2", rows={"666": [1, 2, 3], "abc": [1, 2, 3]})
    api.app_refresh()
    assert api.get("/reco/als/666").status_code == 500
    assert api.get("/reco/als/abc").status_code == 200


@pytest.mark.parametrize("path", [f"/reco/als/{FAULTY}", "/reco/als"], ids=["one user", "many users"])
def test_a_fault_is_reported_once_under_its_own_title(stocked: Shop, settings: Settings, path: str) -> None:
    transport, own = Capturing(), reporting(settings, fault_users=True, slow_request_seconds=600.0)
    app = create_app(own)
    app.state.reader.reports = Reports(own, "reader", transport)
    with calling(app, READ) as api:
        if path.endswith("als"):
            api.post(path, json={"user_ids": [7, FAULTY]})
        else:
            api.get(path)
    assert transport.titles == ["DeliberateFault: a deliberate fault: TOPSHELF_FAULT_USERS is on"]
    [event] = transport.events
    assert (event["tags"]["model"], event["tags"]["generation"]) == ("als", "1")
    assert len(event["user"]["id"]) == 16


def test_the_log_says_at_the_start_that_the_switch_is_on(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    create_app(settings)
    assert not caplog.records
    create_app(settings.model_copy(update={"fault_users": True}))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "TOPSHELF_FAULT_USERS IS ON" in caplog.text


def test_with_the_switch_off_nobody_has_a_fault(stocked: Shop, settings: Settings) -> None:
    with calling(create_app(settings), READ) as api:
        for path in (f"/reco/als/{FAULTY}", f"/reco/als/{FAULTY}?k=3"):
            assert api.get(path).status_code == 200
