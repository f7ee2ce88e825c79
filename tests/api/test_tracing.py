import re

import pytest
import redis

from store.jobs import Jobs
from store.keys import Keys
from tests.api.caller import Caller
from tests.api.shop import Shop
from tests.api.test_protocol import answers, request, server

__all__ = ["server"]

MADE_UP = re.compile("[0-9a-f]{16}")


@pytest.mark.parametrize("path", ["/reco/als/1", "/reco/als/1?k=3", "/reco/als/abc", "/nowhere", "/health"])
def test_an_id_that_was_given_comes_back(stocked: Shop, api: Caller, path: str) -> None:
    answer = api.get(path, headers={"X-Request-ID": "from-the-gateway/7"})
    assert answer.headers.get_list("X-Request-ID") == ["from-the-gateway/7"]


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "line\tbreak", "ünfit"])
def test_an_id_that_is_not_fit_for_a_log_is_replaced(api: Caller, given: str) -> None:
    answer = api.get("/health", headers={"X-Request-ID": given.encode()})
    assert MADE_UP.fullmatch(answer.headers["X-Request-ID"])


def test_every_request_has_an_id_of_its_own(api: Caller) -> None:
    ids = {api.get("/health").headers["X-Request-ID"] for _ in range(5)}
    assert len(ids) == 5


def test_a_plain_list_is_given_none_of_its_own(stocked: Shop, api: Caller) -> None:
    assert "X-Request-ID" not in api.get("/reco/als/1").headers


def test_a_list_answered_without_a_task_has_the_id_it_was_asked_with(server: tuple[str, int]) -> None:
    sent = request("/reco/als/7", "X-Request-ID: abc") + request("/reco/als/8", "X-Request-ID: a b")
    [(first, _), (second, _)] = answers(server, sent, 2)
    assert b"\r\nx-request-id: abc\r\n" in first + b"\r\n"
    assert b"x-request-id" not in second


def test_a_job_carries_the_id_of_the_request_that_asked_for_it(
    admin: Caller, client: redis.Redis, keys: Keys
) -> None:
    body = {"kind": "pipeline", "model": "als", "job_id": "j1"}
    answer = admin.post("/jobs", json=body, headers={"X-Request-ID": "asked-1"})
    assert answer.json()["trace"] == "asked-1"
    again = admin.post("/jobs", json=body, headers={"X-Request-ID": "asked-2"})
    assert again.json()["trace"] == Jobs(client, keys, 30).get("j1").trace == "asked-1"
