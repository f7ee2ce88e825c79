"""Every route there is, with the profiler armed: answered as it would be, and profiled."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.caller import Caller, calling
from tests.api.conftest import READ
from tests.api.shop import Shop
from tests.api.test_profiling import ARMED, ID

PLACES = {"model_name": "als", "user_id": "7", "item_id": "107"}
UNKNOWN = "nothing-of-the-kind"
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/reco/{model_name}"): {"user_ids": [1, 2]},
    ("POST", "/reco/{model_name}/session"): {"items": [101, 102]},
    ("PUT", "/items/{item_id}"): {"categories": ["Comedy"]},
    ("PUT", "/users/{user_id}"): {"categories": ["Comedy"]},
    ("POST", "/events"): {"event_id": "e1", "user_id": 7, "item_id": 107},
}


@pytest.fixture
def armed(stocked: Shop, app: FastAPI) -> Iterator[Caller]:
    with calling(app, ARMED) as caller:
        yield caller


def operations(app: FastAPI) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods]


def filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda place: PLACES.get(place[1], UNKNOWN), path)


def test_every_route_is_profiled_and_answers_no_worse_than_without(app: FastAPI, armed: Caller) -> None:
    statuses = {}
    for method, path in operations(app):
        answer = armed.request(method, filled(path), json=BODIES.get((method, path)))
        statuses[method, path] = answer.status_code
        assert answer.headers.get(ID), (method, path)
        newest = app.state.profiles.newest_first()[0]
        assert (newest.id, newest.method, newest.route) == (answer.headers[ID], method, path)
        assert newest.recording.records, (method, path)
        assert answer.status_code < 500, (method, path, answer.text)
    assert len(statuses) >= 22
    for operation in BODIES:
        assert statuses[operation] in {200, 201, 202}, operation


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/reco/als/none-such", 404),
        ("GET", "/reco/als/7?k=0", 422),
        ("POST", "/health", 405),
        ("POST", "/jobs", 422),
        ("POST", "/models/als/rollback", 409),
    ],
)
def test_what_is_no_route_of_ours_and_every_error_is_profiled(
    app: FastAPI, armed: Caller, method: str, path: str, status: int
) -> None:
    answer = armed.request(method, path)
    assert (answer.status_code, ID in answer.headers) == (status, True), answer.text
    assert app.state.profiles.newest_first()[0].render("text").count("\n") > 3


def test_a_body_that_is_too_large_is_refused_and_profiled(app: FastAPI, armed: Caller) -> None:
    answer = armed.post("/events", content=b"x" * 2_000_000)
    assert (answer.status_code, ID in answer.headers) == (413, True)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, READ])
def test_whoever_is_no_admin_is_not_profiled_on_any_route(
    app: FastAPI, armed: Caller, headers: dict[str, str]
) -> None:
    sender = armed.as_({"X-Topshelf-Profile": "1"} | headers)
    for method, path in operations(app):
        assert ID not in sender.request(method, filled(path)).headers
    assert app.state.profiles.newest_first() == []
    assert sender.as_(READ).get("/reco/als/7").status_code == 200
