import pytest
from fastapi import FastAPI

from tests.api.caller import Caller, calling
from tests.api.conftest import ADMIN, READ
from tests.api.shop import Shop

ROUTES = [
    ("GET", "/reco/als/1", "read"),
    ("POST", "/reco/als", "read"),
    ("POST", "/reco/als/session", "read"),
    ("GET", "/items/100/similar", "read"),
    ("GET", "/models", "read"),
    ("GET", "/models/als/generations", "read"),
    ("PUT", "/users/1", "events"),
    ("POST", "/events", "events"),
    ("PUT", "/items/100", "admin"),
    ("DELETE", "/items/100", "admin"),
    ("POST", "/models/als/rollback", "admin"),
    ("POST", "/models/als/release", "admin"),
    ("POST", "/jobs", "admin"),
    ("GET", "/jobs", "admin"),
    ("GET", "/jobs/x", "admin"),
    ("DELETE", "/jobs/x", "admin"),
    ("GET", "/profiles", "admin"),
    ("GET", "/profiles/x", "admin"),
]
WIDER = {"read": ["read", "events", "admin"], "events": ["events", "admin"], "admin": ["admin"]}


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Bearer ", "Basic read-token", "read-token", "Bearer read-tokens"]
)
def test_without_a_right_token_nothing_is_answered(
    stocked: Shop, api: Caller, method: str, path: str, scope: str, header: str | None
) -> None:
    answer = api.as_({"Authorization": header} if header else {}).request(method, path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["errors"][0]["error_key"] == "not_authenticated"


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
@pytest.mark.parametrize("held", ["read", "events", "admin"])
def test_a_token_opens_the_routes_of_its_scope_and_no_others(
    stocked: Shop, api: Caller, method: str, path: str, scope: str, held: str
) -> None:
    answer = api.as_({"Authorization": f"Bearer {held}-token"}).request(method, path)
    if held in WIDER[scope]:
        assert answer.status_code not in {401, 403}
    else:
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["error_key"] == "not_allowed"


@pytest.mark.parametrize(
    "path", ["/health", "/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json"]
)
def test_health_metrics_and_docs_are_open_and_hold_no_secrets(stocked: Shop, api: Caller, path: str) -> None:
    answer = api.as_({}).get(path)
    assert answer.status_code == 200
    assert not [
        secret
        for secret in ("read-token", "events-token", "admin-token", "redis://")
        if secret in answer.text
    ]


def test_an_unknown_route_is_not_found(api: Caller) -> None:
    answer = api.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json() == {
        "errors": [
            {
                "error_key": "route_not_found",
                "error_message": "there is nothing at /nowhere; see /docs",
                "error_loc": None,
            }
        ]
    }


def test_a_wrong_method_is_said_to_be_one(api: Caller) -> None:
    answer = api.delete("/events")
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["error_key"] == "method_not_allowed"
    assert answer.headers["Allow"] == "POST"


def test_an_unexpected_error_shows_no_details(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("the password is 1234")

    app.add_api_route("/fail", fail)
    with calling(app, READ) as api:
        answer = api.get("/fail")
    assert answer.status_code == 500
    assert answer.json()["errors"][0]["error_key"] == "internal_error"
    assert "1234" not in answer.text
    assert "1234" in caplog.text


def test_a_body_of_ten_megabytes_is_refused(api: Caller) -> None:
    body = b'{"user_ids": [' + b"1," * 5_000_000 + b"1]}"
    for path in ("/events", "/reco/als", "/jobs"):
        answer = api.as_(ADMIN).post(
            path, content=body, headers={"Content-Type": "application/json", **ADMIN}
        )
        assert answer.status_code == 413
        assert answer.json()["errors"][0]["error_key"] == "body_too_large"


def test_the_docs_describe_every_route(app: FastAPI) -> None:
    document = app.openapi()
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) == len(ROUTES) + 4
    for path, _, operation in operations:
        assert operation["summary"]
        if not path.startswith(("/health", "/metrics")):
            assert operation["security"] == [{"HTTPBearer": []}], path
            assert {"401", "403"} <= set(operation["responses"]), path
            [success] = [status for status in operation["responses"] if status.startswith("2")]
            assert operation["responses"][success]["content"]["application/json"]["schema"], path
