import json
import socket

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.hot_route import TITLE, HotRoute
from api.server import run
from store.embedded import free_port
from tests.api.caller import Caller, calling
from tests.api.conftest import ADMIN, READ
from tests.api.shop import Shop, list_of
from tests.topshelf.reports.capturing import Capturing, reporting
from topshelf.errors import SettingsError
from topshelf.reports import Reports
from topshelf.settings import Settings

NEVER_SECONDS = 600.0
"""A machine that also runs everybody else's tests is slow now and then."""
NOBODY: dict[str, str] = {}
WRONG = {"Authorization": "Bearer x"}
ROLLBACK = "/models/{model_name}/rollback"


@pytest.fixture
def transport() -> Capturing:
    return Capturing()


@pytest.fixture
def app(settings: Settings, transport: Capturing) -> FastAPI:
    """A reader whose reports are kept."""
    return capturing(reporting(settings, slow_request_seconds=NEVER_SECONDS), transport)


def capturing(settings: Settings, transport: Capturing) -> FastAPI:
    app = failing(settings)
    app.state.reader.reports = Reports(settings, "reader", transport)
    return app


@pytest.mark.parametrize("processes", [1, 2])
def test_a_dsn_that_is_none_is_refused_before_anything_starts(settings: Settings, processes: int) -> None:
    with pytest.raises(SettingsError, match="TOPSHELF_SENTRY_DSN"):
        run(reporting(settings, "nonsense", api_processes=processes))


def test_an_error_nobody_expects_names_its_route_model_generation_and_a_hash_of_the_user(
    stocked: Shop, api: Caller, transport: Capturing
) -> None:
    answer = api.get("/fails/als/7", headers=READ | {"X-Request-ID": "request-7"})
    assert (answer.status_code, answer.json()["errors"][0]["error_key"]) == (500, "internal_error")
    [event] = transport.events
    route = "GET /fails/{model_name}/{user_id}"
    assert transport.titles == ["ZeroDivisionError: nothing for als"]
    assert event["tags"] == {
        "service": "reader",
        "route": route,
        "model": "als",
        "generation": "1",
        "trace": "request-7",
    }
    assert event["transaction"] == route
    assert len(event["user"]["id"]) == 16


@pytest.mark.parametrize(
    ("path", "route"),
    [("/models/als/generations", "GET /models/{model_name}/generations"), ("/reco/als/7", TITLE)],
    ids=["long way", "hot route"],
)
def test_a_slow_request_names_the_same(
    stocked: Shop, settings: Settings, transport: Capturing, path: str, route: str
) -> None:
    app = capturing(reporting(settings, slow_request_seconds=1e-9), transport)
    with calling(app, READ) as api:
        api.get(path)
    [event] = transport.events
    assert transport.titles == [f"slow request: {route}"]
    assert (event["tags"]["model"], event["tags"]["generation"]) == ("als", "1")
    assert ("user" in event) == (route == TITLE)


@pytest.mark.parametrize(
    ("headers", "method", "path", "title"),
    [
        (NOBODY, "GET", "/reco/als/7", f"401 not_authenticated on {TITLE}: a token is wanted"),
        (WRONG, "GET", "/models", "401 not_authenticated on GET /models: the token is not known"),
        (READ, "GET", "/jobs", "403 not_allowed on GET /jobs: this needs a token of scope admin"),
        (READ, "GET", "/reco/als/abc", f"404 user_not_found on {TITLE}: '<user>' is not a user id"),
        (READ, "GET", "/reco/no/7", f"404 model_not_found on {TITLE}: no generation of 'no'"),
        (READ, "GET", "/reco/als/7?k=0", f"422 request_invalid on {TITLE}: query.k: Input should be"),
        (READ, "GET", "/wp-admin/7", "404 route_not_found on GET none: there is nothing under /wp-admin"),
        (READ, "BREW", "/models", "405 method_not_allowed on other /models: BREW is not possible"),
        (ADMIN, "POST", ROLLBACK.format(model_name="als"), f"409 nothing_to_roll_back on POST {ROLLBACK}: "),
    ],
)
def test_a_refused_request_has_a_title_that_says_which_where_and_why(
    stocked: Shop,
    api: Caller,
    transport: Capturing,
    headers: dict[str, str],
    method: str,
    path: str,
    title: str,
) -> None:
    for _ in range(3):
        assert 400 <= api.as_(headers).request(method, path).status_code < 500
    assert [sent[: len(title)] for sent in transport.titles] == [title]
    [event] = transport.events
    assert event["transaction"] == event["tags"]["route"] == event["fingerprint"][2]
    assert event["level"] == "warning"


def test_a_body_too_large_is_a_refused_request(stocked: Shop, api: Caller, transport: Capturing) -> None:
    assert api.post("/reco/als", content=b"x" * 1_100_000).status_code == 413
    assert transport.titles == [
        "413 body_too_large on POST none: the body is larger than the 1,000,000 bytes taken here, under /reco"
    ]


def test_nobody_is_named_and_no_token_given_away(stocked: Shop, api: Caller, transport: Capturing) -> None:
    api.get("/fails/als/somebody-7")
    api.get("/reco/als/somebody-7?token=read-token")
    api.as_(NOBODY).get("/reco/als/somebody-7")
    api.delete("/users/somebody-7")
    assert len(transport.events) == 4
    sent = json.dumps(transport.events)
    assert "somebody" not in sent
    assert "read-token" not in sent


def test_a_model_nobody_serves_is_no_tag(stocked: Shop, api: Caller, transport: Capturing) -> None:
    api.get("/reco/made-up/7")
    assert transport.events[0]["tags"].keys().isdisjoint({"model", "generation"})


def failing(settings: Settings) -> FastAPI:
    """A reader one route of which fails."""
    app = create_app(settings)

    @app.get("/fails/{model_name}/{user_id}")
    async def fails(model_name: str, user_id: str) -> None:
        raise ZeroDivisionError(f"nothing for {model_name}")

    return app


@pytest.mark.parametrize("silent", [True, False], ids=["that never answers", "that is not there"])
def test_a_server_is_not_noticed(stocked: Shop, settings: Settings, silent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] if silent else free_port()
        with calling(failing(reporting(settings, f"http://key@127.0.0.1:{port}/1")), READ) as api:
            for _ in range(20):
                assert api.get("/fails/als/7").status_code == 500
                assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]


def test_what_fails_in_the_hot_route_is_reported_though_the_list_is_handed_out(
    stocked: Shop, api: Caller, transport: Capturing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("in the hot route")

    monkeypatch.setattr(HotRoute, "_stored", fail)
    assert api.get("/reco/als/7").json()["items"] == list_of(7)[:10]
    [event] = transport.events
    assert transport.titles == ["ZeroDivisionError: in the hot route"]
    assert event["transaction"] == TITLE
    assert (event["tags"]["model"], event["tags"]["generation"]) == ("als", "1")
    assert event["user"]["id"]
