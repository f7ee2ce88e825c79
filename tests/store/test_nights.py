"""Records of nightly runs."""

import pytest
import redis

from store import documents
from store.keys import Keys
from store.night import ModelOutcome, NightlyRun
from store.nights import Nights, Notice
from tests.waiting import wait_until
from topshelf.errors import NightNotFound, StoreError


@pytest.fixture
def nights(client: redis.Redis, keys: Keys) -> Nights:
    return Nights(client, keys, retention_days=1, lease_seconds=60)


def recorded(nights: Nights, run_id: str = "nightly-2026-11-27", **changes: object) -> NightlyRun:
    given: dict[str, object] = {
        "schedule": "nightly",
        "date": "2026-11-27",
        "due": "2026-11-27T02:00:00+00:00",
        "cron": "0 3 * * *",
        "timezone": "Europe/Berlin",
        "trigger": "clock",
        "models": ("popular", "als"),
    }
    return nights.create(run_id, **(given | changes))[0]  # type: ignore[arg-type]


def test_a_run_is_recorded_once(nights: Nights) -> None:
    first = recorded(nights)
    assert (first.state, first.stage, list(first.models)) == ("queued", "drain", ["popular", "als"])
    assert recorded(nights, trigger="hand").trigger == "clock"
    assert [run.id for run in nights.list()] == [first.id]


def test_a_stage_is_begun_by_one_and_free_again_in_the_next(nights: Nights) -> None:
    run = recorded(nights)
    assert nights.begin_stage(run.id, "drain", 60)
    assert not nights.begin_stage(run.id, "drain", 60)
    assert nights.advance(run.id, "drain", "dataset")
    assert not nights.advance(run.id, "drain", "dataset")
    assert nights.begin_stage(run.id, "dataset", 60)


def test_what_models_come_to_is_kept_as_it_was(nights: Nights) -> None:
    run = recorded(nights)
    models = {
        "popular": ModelOutcome("popular", "refused", job="j1", reason="too little", metrics={"MAP@10": 0.1}),
        "als": ModelOutcome("als", "succeeded", generation="7", seconds=1.5),
    }
    assert nights.update(run.id, models=models, dataset="d1")
    found = nights.get(run.id)
    assert (found.models, found.dataset) == (models, "d1")
    assert found.with_state("refused") == [models["popular"]]


@pytest.mark.parametrize("state", ["succeeded", "failed", "skipped"])
def test_what_is_over_stays_as_it_is(nights: Nights, state: str) -> None:
    run = recorded(nights)
    assert nights.finish(run.id, state, "why")  # type: ignore[arg-type]
    assert not nights.finish(run.id, "failed", "another reason")
    assert not nights.update(run.id, dataset="d1")
    found = nights.get(run.id)
    assert (found.state, found.reason, found.over, found.dataset) == (state, "why", True, "")


def test_a_run_is_open_until_it_is_closed_and_active_until_it_is_over(nights: Nights) -> None:
    run = recorded(nights)
    assert [each.id for each in nights.active()] == [run.id]
    nights.finish(run.id, "succeeded")
    assert nights.active() == []
    assert [each.id for each in nights.open()] == [run.id]
    nights.close(run.id)
    assert nights.open() == []
    assert [each.id for each in nights.list()] == [run.id]


def test_runs_are_listed_newest_first_by_schedule(nights: Nights) -> None:
    for name in ("a-1", "b-1", "a-2"):
        recorded(nights, name, schedule=name[0])
    assert [run.id for run in nights.list()] == ["a-2", "b-1", "a-1"]
    assert [run.id for run in nights.list(schedule="a")] == ["a-2", "a-1"]
    assert [run.id for run in nights.list(limit=1)] == ["a-2"]


def test_old_runs_go_with_what_was_noted_of_them(client: redis.Redis, keys: Keys) -> None:
    nights = Nights(client, keys, retention_days=0)
    over, at_work = recorded(nights, "over"), recorded(nights, "at-work")
    nights.note(over.id, "hook/started", Notice(done=True))
    nights.finish(over.id, "succeeded")
    recorded(nights, "new")
    assert not nights.exists(over.id)
    assert not client.exists(keys.night_notices(over.id))
    assert nights.exists(at_work.id)


def test_a_run_nobody_works_on_is_stalled_once_its_lease_is_over(client: redis.Redis, keys: Keys) -> None:
    patient, hasty = Nights(client, keys, 1, lease_seconds=60), Nights(client, keys, 1, lease_seconds=0)
    run = recorded(patient)
    wait_until(lambda: hasty.is_stalled(run))
    assert not patient.is_stalled(run)
    assert patient.begin_stage(run.id, "drain", 60)
    assert not hasty.is_stalled(patient.get(run.id))


def test_how_far_a_notice_is_is_noted_beside_its_run(nights: Nights) -> None:
    run = recorded(nights)
    notice = Notice(attempts=2, next_epoch=3.5, error="refused")
    nights.note(run.id, "hook/started", notice)
    nights.note(run.id, "hook/succeeded", Notice(done=True))
    assert nights.notices(run.id) == {"hook/started": notice, "hook/succeeded": Notice(done=True)}


def test_one_at_a_time_tells_the_hooks(nights: Nights) -> None:
    assert nights.take_turn("me", 60)
    assert not nights.take_turn("you", 60)
    nights.end_turn("you")
    assert not nights.take_turn("you", 60)
    nights.end_turn("me")
    assert nights.take_turn("you", 60)


def test_a_run_there_is_not_is_said(nights: Nights) -> None:
    with pytest.raises(NightNotFound, match="no nightly run 'gone'"):
        nights.get("gone")
    with pytest.raises(NightNotFound):
        nights.finish("gone", "failed")


def test_what_only_a_transition_may_change_is_not_updated(nights: Nights) -> None:
    with pytest.raises(StoreError, match="state"):
        nights.update(recorded(nights).id, state="failed")


def test_a_damaged_record_is_said(nights: Nights, client: redis.Redis, keys: Keys) -> None:
    run = recorded(nights)
    client.hset(keys.night(run.id), "models", '[{"state": "succeeded"}]')
    with pytest.raises(StoreError, match="nightly-2026-11-27 is damaged"):
        nights.get(run.id)
    client.hdel(keys.night(run.id), "models", "cron")
    with pytest.raises(StoreError, match="cron"):
        nights.get(run.id)


def test_what_a_later_version_adds_to_a_record_is_left_out(
    nights: Nights, client: redis.Redis, keys: Keys
) -> None:
    run = recorded(nights)
    models = documents.dump([{"model": "als", "state": "succeeded", "mood": "good"}])
    client.hset(keys.night(run.id), mapping={"models": models, "weather": "rain"})
    assert nights.get(run.id).models == {"als": ModelOutcome("als", "succeeded")}


def test_an_old_id_without_a_record_does_not_hide_the_run_that_takes_it(
    client: redis.Redis, keys: Keys, nights: Nights
) -> None:
    client.zadd(keys.nights, {"nightly-2026-11-27": 1.0})
    run = recorded(nights)
    assert [found.id for found in nights.active()] == [run.id]
    assert [found.id for found in nights.list()] == [run.id]
