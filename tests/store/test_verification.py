import pytest
import redis

from store import generations
from store.generation import Generation
from store.keys import Keys
from tests.store.stocking import USERS, Stocking
from topshelf.errors import GenerationIncomplete

ROWS = dict.fromkeys(USERS, (1, 2, 3))


def refused(stocking: Stocking, generation: Generation) -> str:
    with pytest.raises(GenerationIncomplete) as caught:
        stocking.generations.verify("als", generation.id)
    assert stocking.state(generation) == "building"
    return str(caught.value)


def test_a_whole_generation_becomes_ready(stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill(generation, ROWS)
    verified = stocking.generations.verify("als", generation.id)
    assert (verified.state, verified.warning) == ("ready", "")
    assert stocking.generations.verify("als", generation.id) == verified


def test_a_delta_is_counted_by_its_own_users(stocking: Stocking) -> None:
    base = stocking.live()
    assert stocking.ready_delta(base).state == "ready"
    delta = stocking.open(USERS[:10], base=base.id)
    stocking.fill(delta, dict.fromkeys(USERS[:9], (1, 2, 3)))
    assert "users reported by its chunks are 9, 10 were announced" in refused(stocking, delta)


def test_a_live_generation_stays_live_when_it_is_verified_again(stocking: Stocking) -> None:
    live = stocking.live()
    assert stocking.generations.verify("als", live.id) == live


def test_a_chunk_that_is_not_finished_is_missed(stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill_chunk(generation, ROWS, 0)
    stocking.fill_chunk(generation, ROWS, 2)
    assert "chunks finished are 2, 3 were announced" in refused(stocking, generation)


def test_users_nobody_wrote_are_missed(stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill(generation, dict.fromkeys(USERS[:-1], (1, 2, 3)))
    assert "users reported by its chunks are 64, 65 were announced" in refused(stocking, generation)


def test_a_bucket_that_went_away_is_missed(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill(generation, ROWS)
    client.delete(keys.bucket("als", generation.id, 4))
    assert "users in its buckets" in refused(stocking, generation)


def test_a_chunk_written_twice_by_two_workers_is_no_harm(stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill(generation, ROWS)
    stocking.write_chunk(generation, ROWS, 1)
    stocking.generations.chunks.finish("als", generation.id, 1, 20)
    assert stocking.generations.verify("als", generation.id).state == "ready"


def test_crowded_buckets_are_a_warning_not_an_error(stocking: Stocking) -> None:
    users = [str(number) for number in range(2_000)]
    crowded = stocking.generations.create(
        "als",
        fence=stocking.generations.next_fence("als"),
        layout="users",
        dataset="d1",
        artifact="a1",
        knn="",
        n_users=len(users),
        n_items=10,
        n_buckets=1,
        buckets_per_chunk=1,
        k_store=3,
        cut_off="",
    )
    stocking.fill(crowded, dict.fromkeys(users, (1, 2, 3)))
    verified = stocking.generations.verify("als", crowded.id)
    assert verified.state == "ready"
    assert "hash tables" in verified.warning


def test_a_model_without_user_rows_needs_its_segments(stocking: Stocking) -> None:
    generation = stocking.open((), layout="segments")
    assert "has no segments" in refused(stocking, generation)
    stocking.generations.write_segments("als", generation.id, [b"ab", b"cd"], ["", "Comedy"])
    assert stocking.generations.verify("als", generation.id).state == "ready"


def test_a_segment_that_went_away_is_missed(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation = stocking.open((), layout="segments")
    stocking.generations.write_segments("als", generation.id, [b"ab", b"cd"], ["", "Comedy"])
    client.hdel(keys.segments("als", generation.id), "1")
    assert "segments are 1, 2 were announced" in refused(stocking, generation)


def test_what_fails_while_it_is_verified_stays_failed(
    client: redis.Redis, keys: Keys, stocking: Stocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = stocking.open()
    stocking.fill(generation, ROWS)

    def overtaken(*_: object) -> str:
        stocking.generations.fail("als", generation.id, "overtaken")
        return ""

    monkeypatch.setattr(generations, "verify_content", overtaken)
    with pytest.raises(GenerationIncomplete, match="is failed"):
        stocking.generations.verify("als", generation.id)


def test_what_failed_cannot_be_verified(stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill(generation, ROWS)
    stocking.generations.fail("als", generation.id, "given up")
    with pytest.raises(GenerationIncomplete, match="is failed"):
        stocking.generations.verify("als", generation.id)
