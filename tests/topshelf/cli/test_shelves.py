from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from store.events import Event, EventLog
from store.generations import Generations
from store.jobs import Jobs
from store.keys import Keys
from tests.topshelf.cli.outcome import Topshelf
from tests.topshelf.cli.test_http import Reader, reader
from topshelf.settings import Settings

__all__ = ["reader"]  # a fixture of this module too

MODEL = "popular"


@pytest.fixture
def generations(client: redis.Redis, keys: Keys, on_redis: None) -> Generations:
    return Generations(client, keys)


def publish(
    generations: Generations,
    model: str = MODEL,
    artifact: str = "popular-1",
    *,
    base: str = "",
    churn: tuple[float, float] | None = None,
    **found: Any,
) -> str:
    fence = generations.next_fence(model)
    generation = generations.create(
        model,
        fence=fence,
        layout="segments",
        dataset="20261123T000000Z-d1",
        artifact=artifact,
        knn="",
        n_users=0,
        n_items=3,
        n_buckets=0,
        buckets_per_chunk=1,
        k_store=2,
        cut_off="2026-11-22T00:00:00Z",
        base=base,
        **found,
    )
    generations.write_segments(model, generation.id, [b"\x00\x00\x01\x00"], [""])
    generations.verify(model, generation.id)
    overlap, changed = churn or (None, None)
    generations.publish(model, generation.id, fence, overlap=overlap, changed=changed)
    return generation.id


def test_a_store_with_nothing_in_it_says_what_to_do(topshelf: Topshelf, generations: Generations) -> None:
    shown = topshelf("status")
    assert shown.exit_code == 0
    assert "nothing is live; publish a model with: topshelf pipeline MODEL" in shown.out
    assert topshelf("status", "--json").answer == {"models": [], "jobs": [], "events_waiting": 0}


def test_the_status_says_what_is_live_and_what_waits(
    topshelf: Topshelf, generations: Generations, client: redis.Redis, keys: Keys
) -> None:
    generation = publish(generations)
    Jobs(client, keys, retention_days=1).create("train", "als", job_id="one")
    EventLog(client, keys, limit=10).append([Event("e1", 1, 2, "2026-11-23T00:00:00Z", 1.0)])
    told = topshelf("status", "--json").answer
    [model] = told["models"]
    assert model["model"] == MODEL
    assert model["generation"] == generation
    assert model["items"] == 3
    assert [job["id"] for job in told["jobs"]] == ["one"]
    assert told["events_waiting"] == 1
    shown = topshelf("status").out
    assert "1 jobs under way, 1 events not drained yet" in shown
    assert MODEL in shown


def test_the_status_says_what_changed_and_who_has_newer_lists(
    topshelf: Topshelf, generations: Generations
) -> None:
    base = publish(generations, churn=(0.75, 0.5))
    [model] = topshelf("status", "--json").answer["models"]
    assert (model["overlap"], model["changed"], model["delta_users"]) == (0.75, 0.5, None)
    assert "50.0%" in topshelf("status").out
    delta = publish(generations, base=base, churn=(0.875, 0.125))
    [model] = topshelf("status", "--json").answer["models"]
    assert model["generation"] == f"{base}:{delta}"
    assert (model["overlap"], model["changed"], model["delta_users"]) == (0.875, 0.125, 0)
    shown = topshelf("status").out
    assert "0 + 0" in shown
    assert "12.5% of 0" in shown


def test_the_status_says_how_lists_were_found_and_what_they_may_hold(
    topshelf: Topshelf, generations: Generations
) -> None:
    asked = ("search", "ef", "recall", "rules")
    base = publish(generations, search="graph", ef=80, recall=0.996, rules='{"block":[7]}')
    [model] = topshelf("status", "--json").answer["models"]
    assert [model[name] for name in asked] == ["graph", 80, 0.996, {"block": [7]}]
    publish(generations, base=base)
    [with_delta] = topshelf("status", "--json").answer["models"]
    assert [with_delta[name] for name in asked] == [model[name] for name in asked]
    publish(generations)
    [model] = topshelf("status", "--json").answer["models"]
    assert [model[name] for name in asked] == ["exact", 0, None, {}]


def test_a_rollback_serves_the_previous_generation_and_holds_it(
    topshelf: Topshelf, generations: Generations
) -> None:
    first, second = publish(generations), publish(generations)
    assert str(generations.pointer(MODEL)) == second
    assert topshelf("rollback", MODEL, "--json").answer == {"model": MODEL, "live": first}
    assert str(generations.pointer(MODEL)) == first
    assert topshelf("status", "--json").answer["models"][0]["held"] == "yes"


def test_a_release_lifts_the_hold_once(topshelf: Topshelf, generations: Generations) -> None:
    publish(generations)
    publish(generations)
    assert "topshelf release popular" in topshelf("rollback", MODEL).out
    assert topshelf("release", MODEL).out == "popular: released\n"
    assert topshelf("release", MODEL).out == "popular: was not held\n"
    publish(generations)


def test_a_model_with_one_generation_cannot_be_rolled_back(
    topshelf: Topshelf, generations: Generations
) -> None:
    publish(generations)
    ended = topshelf("rollback", MODEL, "--json")
    assert ended.exit_code == 5
    assert ended.error["error_key"] == "nothing_to_roll_back"


def test_a_list_is_asked_of_the_reader_with_the_token_kept_here(
    topshelf: Topshelf, environ: Callable[..., None], reader: Reader, tmp_path: Path
) -> None:
    environ(api_port=reader.server_port)
    reader.answer = (200, b'{"user_id": "u/1", "items": ["a", "[b]"]}')
    told = topshelf("recommend", "als", "u/1", "-k", "2", "--category", "Drama", "--json")
    assert told.answer["items"] == ["a", "[b]"]
    assert told.answer["source"] == "knn"
    [(path, token)] = reader.asked
    assert path == "/reco/als/u%2F1?k=2&category=Drama"
    kept = (tmp_path / "data" / "credentials.json").read_text()
    assert token is not None
    assert f'"{token.removeprefix("Bearer ")}"' in kept
    shown = topshelf("recommend", "als", "u/1").out
    assert "[b]" in shown
    assert "from knn" in shown


def test_a_token_in_the_settings_is_used_instead(
    topshelf: Topshelf, environ: Callable[..., None], reader: Reader
) -> None:
    environ(api_port=reader.server_port, tokens_read="open-sesame,another")
    reader.answer = (200, b'{"user_id": 1, "items": []}')
    assert topshelf("recommend", "als", "1", "--json").exit_code == 0
    assert reader.asked[0][1] == "Bearer open-sesame"
    assert Settings.from_environment().tokens_read[0].get_secret_value() == "open-sesame"


def test_a_refusal_of_the_reader_exits_with_1_and_its_key(
    topshelf: Topshelf, environ: Callable[..., None], reader: Reader
) -> None:
    environ(api_port=reader.server_port)
    reader.answer = (404, b'{"errors": [{"error_key": "model_not_found", "error_message": "no als"}]}')
    ended = topshelf("recommend", "als", "1", "--json")
    assert ended.exit_code == 1
    assert ended.error["error_key"] == "model_not_found"
