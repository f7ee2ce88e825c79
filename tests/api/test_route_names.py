from types import SimpleNamespace
from typing import Any

import pytest

from api.route_names import route_of


def scope_of(path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, **more}


def test_a_routed_request_is_called_by_its_template() -> None:
    route = SimpleNamespace(path="/reco/{model_name}/{user_id:path}")
    scope = scope_of("/reco/als/7", route=route)
    assert route_of(scope) == "/reco/{model_name}/{user_id}"


@pytest.mark.parametrize("user", ["7", "a/b", ""])
def test_a_request_the_hot_route_answered_is_called_the_same(user: str) -> None:
    scope = scope_of(f"/reco/als/{user}")
    assert route_of(scope) == "/reco/{model_name}/{user_id}"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/reco/als"), ("POST", "/reco/als/session"), ("GET", "/wp-login.php")]
)
def test_what_nobody_routes_has_no_name(method: str, path: str) -> None:
    scope = scope_of(path, method)
    assert route_of(scope) == "none"
