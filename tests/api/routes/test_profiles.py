import json

import pytest
from fastapi import FastAPI

from tests.api.caller import Caller
from tests.api.shop import Shop
from tests.api.test_profiling import ARMED, ID


@pytest.fixture
def profile_id(stocked: Shop, admin: Caller) -> str:
    """Of a request for a list."""
    return str(admin.as_(ARMED).get("/reco/als/7").headers[ID])


def test_the_list_says_what_was_profiled_newest_first(profile_id: str, admin: Caller) -> None:
    later = admin.as_(ARMED).post("/reco/als", json={"user_ids": [1]}).headers[ID]
    found = admin.get("/profiles").json()["profiles"]
    assert [(one["id"], one["method"], one["route"], one["armed_by"]) for one in found] == [
        (later, "POST", "/reco/{model_name}", "admin"),
        (profile_id, "GET", "/reco/{model_name}/{user_id}", "admin"),
    ]
    assert all(one["milliseconds"] > 0 for one in found)
    assert found[0]["at"] > found[1]["at"]


def test_a_profile_is_a_page_by_default(profile_id: str, admin: Caller) -> None:
    answer = admin.get(f"/profiles/{profile_id}")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!DOCTYPE html>")
    assert "HotRoute" in answer.text
    assert answer.text == admin.get(f"/profiles/{profile_id}?format=html").text


def test_a_profile_may_be_opened_in_speedscope(profile_id: str, admin: Caller) -> None:
    answer = admin.get(f"/profiles/{profile_id}?format=speedscope")
    assert answer.headers["Content-Type"] == "application/json"
    shown = json.loads(answer.text)
    assert shown["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert shown["profiles"][0]["events"]


def test_a_profile_may_be_read_as_text(profile_id: str, admin: Caller) -> None:
    answer = admin.get(f"/profiles/{profile_id}?format=text")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "GET /reco/{model_name}/{user_id}" in answer.text
    assert "HotRoute.__call__  api/hot_route.py" in answer.text


def test_an_unknown_profile_is_not_found(admin: Caller) -> None:
    answer = admin.get("/profiles/nothing")
    assert answer.status_code == 404
    [fault] = answer.json()["errors"]
    assert fault["error_key"] == "profile_not_found"


def test_an_unknown_form_is_refused(profile_id: str, admin: Caller) -> None:
    answer = admin.get(f"/profiles/{profile_id}?format=pdf")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["error_loc"] == ["query", "format"]


@pytest.mark.parametrize("path", ["/profiles", "/profiles/x"])
def test_without_a_profiler_nothing_is_profiled_and_profiles_are_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, path: str
) -> None:
    monkeypatch.setattr("topshelf.profiling.files.find_spec", lambda name: None)
    admin: Caller = request.getfixturevalue("admin")
    answer = admin.as_(ARMED).get(path)
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["error_key"] == "profiling_not_installed"
    assert ID not in answer.headers


def test_the_docs_name_every_form(app: FastAPI) -> None:
    answers = app.openapi()["paths"]["/profiles/{profile_id}"]["get"]["responses"]
    assert set(answers["200"]["content"]) == {"text/html", "application/json", "text/plain"}
    assert {"401", "403", "404", "503"} <= set(answers)
