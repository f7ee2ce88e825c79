from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from fastapi import FastAPI

from api.app import create_app
from store.events import EventLog
from store.keys import Keys
from tests.api.caller import Caller, calling
from tests.api.conftest import EVENTS
from tests.api.shop import Shop, list_of
from topshelf.settings import Settings


@pytest.fixture
def log(client: redis.Redis, keys: Keys) -> EventLog:
    return EventLog(client, keys, 1_000_000)


def test_an_item_touched_is_gone_from_the_users_next_list(stocked: Shop, sender: Caller) -> None:
    assert sender.post("/events", json={"user_id": 7, "item_id": 107}).status_code == 202
    assert sender.get("/reco/als/7").json()["items"] == list_of(7)[1:11]


def test_a_user_never_seen_gets_neighbours_after_three_events(stocked: Shop, sender: Caller) -> None:
    assert sender.get("/reco/als/600").headers["X-Reco-Source"] == "popular"
    for touched in (105, 106, 107):
        sender.post("/events", json={"user_id": 600, "item_id": touched})
    answer = sender.get("/reco/als/600")
    assert answer.headers["X-Reco-Source"] == "knn"
    assert not {105, 106, 107} & set(answer.json()["items"])


def test_events_are_durable_as_they_were_sent(stocked: Shop, sender: Caller, log: EventLog) -> None:
    events = [
        {
            "user_id": 7,
            "item_id": 107,
            "timestamp": "2026-01-02T03:04:05+02:00",
            "weight": 2.5,
            "event_id": "e1",
        },
        {"user_id": 8, "item_id": 4242, "timestamp": "2026-01-02T03:04:05", "event_id": "e2"},
        {"user_id": 8, "item_id": 4243, "timestamp": 1_700_000_000},
    ]
    answer = sender.post("/events", json={"events": events}).json()
    assert answer["accepted"] == 3
    taken = [event for _, event in log.read_batch(10)]
    assert [event.event_id for event in taken] == answer["event_ids"]
    assert answer["event_ids"][1] == "e2"
    assert [(event.user_id, event.item_id, event.weight) for event in taken] == [
        (7, 107, 2.5),
        (8, 4242, 1.0),
        (8, 4243, 1.0),
    ]
    assert [event.timestamp for event in taken] == [
        "2026-01-02T01:04:05+00:00",
        "2026-01-02T03:04:05+00:00",
        "2023-11-14T22:13:20+00:00",
    ]


def test_an_event_without_a_time_happened_now(stocked: Shop, sender: Caller, log: EventLog) -> None:
    before = datetime.now(UTC)
    sender.post("/events", json={"user_id": 7, "item_id": 107})
    [(_, event)] = log.read_batch(10)
    assert before <= datetime.fromisoformat(event.timestamp) <= datetime.now(UTC)
    assert event.event_id


def test_the_newest_of_several_events_is_the_most_recent(
    stocked: Shop, sender: Caller, client: redis.Redis, keys: Keys
) -> None:
    events = [
        {"user_id": 600, "item_id": 101, "timestamp": "2026-01-03T00:00:00Z"},
        {"user_id": 600, "item_id": 102, "timestamp": "2026-01-01T00:00:00Z"},
    ]
    sender.post("/events", json={"events": events})
    assert client.lrange(keys.recent("600"), 0, -1) == [b"101", b"102"]


GOOD = {"user_id": 7, "item_id": 107}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"user_id": "7"}, "user_id"),
        ({"user_id": -1}, "user_id"),
        ({"user_id": 1001}, "user_id"),
        ({"user_id": True}, "user_id"),
        ({"user_id": 7.0}, "user_id"),
        ({"user_id": None}, "user_id"),
        ({"item_id": "107"}, "item_id"),
        ({"item_id": 2**63}, "item_id"),
        ({"weight": "heavy"}, "weight"),
        ({"weight": 1e39}, "weight"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"timestamp": 1e300}, "timestamp"),
        ({"timestamp": "02/01/2026"}, "timestamp"),
        ({"timestamp": (datetime.now(UTC) + timedelta(days=3)).isoformat()}, "timestamp"),
        ({"timestamp": "1969-12-31T00:00:00Z"}, "timestamp"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": 5}, "event_id"),
        ({"wieght": 1}, "wieght"),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_one_bad_event_and_nothing_is_taken(
    stocked: Shop, sender: Caller, log: EventLog, wrong: dict[str, Any], field: str, many: bool
) -> None:
    bad = {**GOOD, **wrong}
    answer = sender.post("/events", json={"events": [GOOD, bad, GOOD]} if many else bad)
    assert answer.status_code == 422
    where = ["body", "events", 1] if many else ["body"]
    loc = answer.json()["errors"][0]["error_loc"]
    assert loc == [*where, field]
    assert log.length() == 0
    assert sender.get("/reco/als/7").json()["items"] == list_of(7)[:10]


@pytest.mark.parametrize(
    "text",
    [
        b'{"user_id": 7, "item_id": 107, "weight": NaN}',
        b'{"user_id": 7, "item_id": 107, "weight": -Infinity}',
        b"{",
        b"",
        b"\xff",
    ],
)
def test_json_that_is_none_is_refused(stocked: Shop, sender: Caller, log: EventLog, text: bytes) -> None:
    answer = sender.post("/events", content=text, headers={"Content-Type": "application/json", **EVENTS})
    assert answer.status_code in {400, 422}
    assert answer.json()["errors"][0]["error_message"]
    assert log.length() == 0


def test_a_thousand_events_are_taken_and_one_more_is_not(
    stocked: Shop, sender: Caller, log: EventLog
) -> None:
    assert sender.post("/events", json={"events": [GOOD] * 1001}).status_code == 422
    assert log.length() == 0
    assert sender.post("/events", json={"events": [GOOD] * 1000}).json()["accepted"] == 1000
    assert sender.post("/events", json={"events": []}).status_code == 422


def test_above_the_limit_nothing_is_taken_and_the_sender_is_told_to_wait(
    settings: Settings, stocked: Shop, log: EventLog
) -> None:
    app: FastAPI = create_app(settings.model_copy(update={"events_limit": 3}))
    with calling(app, EVENTS) as sender:
        assert sender.post("/events", json={"events": [GOOD] * 4}).status_code == 503
        assert log.length() == 0
        assert sender.post("/events", json={"events": [GOOD] * 3}).status_code == 202
        answer = sender.post("/events", json=GOOD)
        assert answer.status_code == 503
        assert answer.json()["errors"][0]["error_key"] == "events_full"
        assert int(answer.headers["Retry-After"]) > 0


def test_before_anything_is_live_events_are_taken_as_they_come(sender: Caller, log: EventLog) -> None:
    assert sender.post("/events", json={"user_id": "x", "item_id": 1}).status_code == 202
    assert log.length() == 1
