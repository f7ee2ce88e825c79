import pytest
import redis

from store.generations import Generations, Pointer
from store.keys import Keys
from tests.store.stocking import USERS, Stocking, wait_until
from topshelf.errors import (
    FenceLost,
    GenerationIncomplete,
    GenerationNotFound,
    ModelOnHold,
    NothingToRollBack,
)


def unclaimed(generations: Generations, name: str, idle_seconds: float = 0) -> list[int]:
    """Chunks nobody holds or held a lease on, and that count as stalled."""
    stalled = generations.stalled_chunks("als", name, idle_seconds=idle_seconds)
    return [chunk.chunk for chunk in stalled if not chunk.expired]


def test_fences_only_rise(generations: Generations) -> None:
    assert [generations.next_fence("als") for _ in range(3)] == [1, 2, 3]
    assert generations.next_fence("popular") == 1


def test_a_new_generation_is_building_and_its_id_is_the_fence(stocking: Stocking) -> None:
    generation = stocking.open()
    assert (generation.id, generation.state) == (str(generation.fence), "building")
    assert (generation.n_buckets, generation.n_chunks, generation.id_width) == (9, 3, 2)
    assert stocking.generations.get("als", generation.id) == generation


def test_creating_again_after_a_crash_gives_the_record_that_is_there(stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill_chunk(generation, dict.fromkeys(USERS, (1, 2, 3)), 0)
    again = stocking.generations.create(
        "als",
        fence=generation.fence,
        layout="users",
        dataset="another",
        artifact="a2",
        knn="",
        n_users=1,
        n_items=1,
        n_buckets=1,
        buckets_per_chunk=1,
        k_store=1,
        cut_off="",
    )
    assert (again.dataset, again.chunks_done) == ("d1", 1)


def test_generations_are_listed_newest_first_and_models_by_name(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    ids = [stocking.open().id for _ in range(12)]
    assert [generation.id for generation in stocking.generations.list("als")] == ids[::-1]
    Stocking(client, keys, "a-model").open()
    assert stocking.generations.models() == ["a-model", "als"]


def test_a_generation_that_is_not_there_is_an_error(generations: Generations) -> None:
    with pytest.raises(GenerationNotFound, match="als has no generation 7"):
        generations.get("als", "7")
    with pytest.raises(GenerationNotFound):
        generations.verify("als", "7")
    with pytest.raises(GenerationNotFound):
        generations.publish("als", "7", 7)
    with pytest.raises(GenerationNotFound):
        generations.finish_chunk("als", "7", 0, 1)
    assert generations.live("als") is None
    assert generations.pointer("als") is None


def test_a_chunk_is_granted_to_one_worker_at_a_time(stocking: Stocking) -> None:
    generation = stocking.open()
    claims = [
        stocking.generations.claim_chunk("als", generation.id, chunk, lease_seconds=60) for chunk in (0, 0, 1)
    ]
    assert claims == ["granted", "leased", "granted"]


def test_a_chunk_whose_lease_ran_out_is_granted_again(stocking: Stocking) -> None:
    generation = stocking.open()

    def granted() -> bool:
        return stocking.generations.claim_chunk("als", generation.id, 0, lease_seconds=0.05) == "granted"

    assert granted()
    wait_until(granted)
    wait_until(lambda: (0, 2, True) in stocking.generations.stalled_chunks("als", generation.id))


def test_a_renewed_lease_keeps_others_out(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert generations.claim_chunk("als", name, 0, lease_seconds=0.01) == "granted"
    assert generations.renew_chunk("als", name, 0, lease_seconds=60)
    wait_until(lambda: unclaimed(generations, name) == [1, 2])
    assert generations.claim_chunk("als", name, 0, lease_seconds=60) == "leased"


def test_a_lease_the_server_lost_is_taken_back(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    generations.claim_chunk("als", name, 0, lease_seconds=60)
    client.delete(keys.leases("als", name))
    assert generations.renew_chunk("als", name, 0, lease_seconds=60)
    assert generations.claim_chunk("als", name, 0, lease_seconds=60) == "leased"


def test_there_is_nothing_to_renew_on_a_chunk_that_is_done_or_closed(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    generations.finish_chunk("als", name, 0, 3)
    assert not generations.renew_chunk("als", name, 0, lease_seconds=60)
    generations.fail("als", name, "given up")
    assert not generations.renew_chunk("als", name, 1, lease_seconds=60)


def test_a_lease_that_ran_out_is_released_once_and_one_that_holds_is_not(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert generations.claim_chunk("als", name, 0, lease_seconds=60) == "granted"
    assert generations.claim_chunk("als", name, 1, lease_seconds=0.01) == "granted"
    wait_until(lambda: (1, 1, True) in generations.stalled_chunks("als", name))
    assert [generations.release_chunk("als", name, chunk) for chunk in (0, 1, 1)] == [False, True, False]
    assert (1, 1, False) in generations.stalled_chunks("als", name)
    assert generations.stalled_chunks("als", name, idle_seconds=60) == []


def test_a_fence_is_over_one_given_out_before(generations: Generations) -> None:
    assert generations.next_fence("als", above=7) == 8
    assert generations.next_fence("als", above=7) == 9


def test_a_finished_chunk_is_counted_once_however_often_it_is_told(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert [generations.finish_chunk("als", name, chunk, 10) for chunk in (1, 1, 0, 1, 2, 2)] == [
        2, 2, 1, 1, 0, 0,
    ]  # fmt: skip
    found = generations.get("als", name)
    assert (found.chunks_done, found.users_written) == (3, 30)
    assert generations.claim_chunk("als", name, 1, lease_seconds=60) == "done"
    assert generations.stalled_chunks("als", name) == []


def test_a_finished_chunk_holds_no_lease(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    generations.claim_chunk("als", name, 0, lease_seconds=60)
    generations.finish_chunk("als", name, 0, 10)
    assert client.hgetall(keys.leases("als", name)) == {b"0:attempts": b"1", b"0:users": b"10"}


def test_a_generation_that_is_not_building_takes_no_chunks(stocking: Stocking) -> None:
    generations, generation = stocking.generations, stocking.open()
    generations.fail("als", generation.id, "given up")
    assert generations.claim_chunk("als", generation.id, 0, lease_seconds=60) == "closed"
    assert generations.claim_chunk("als", "99", 0, lease_seconds=60) == "closed"
    assert generations.finish_chunk("als", generation.id, 0, 10) == 3
    assert generations.stalled_chunks("als", generation.id) == []
    assert generations.get("als", generation.id).users_written == 0


def test_chunks_never_claimed_are_stalled_once_the_generation_is_idle(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert generations.stalled_chunks("als", name) == [(0, 0, False), (1, 0, False), (2, 0, False)]
    generations.claim_chunk("als", name, 1, lease_seconds=60)
    assert unclaimed(generations, name) == [0, 2]
    assert generations.stalled_chunks("als", name, idle_seconds=60) == []
    wait_until(lambda: unclaimed(generations, name, idle_seconds=0.02) == [0, 2])


def test_the_chunks_of_a_new_generation_may_still_be_on_their_way(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert generations.stalled_chunks("als", name, idle_seconds=60) == []
    wait_until(lambda: unclaimed(generations, name, idle_seconds=0.02) == [0, 1, 2])


def test_publishing_makes_a_ready_generation_live(stocking: Stocking) -> None:
    generation = stocking.ready()
    assert stocking.generations.publish("als", generation.id, generation.fence) == Pointer(generation.id)
    live = stocking.generations.live("als")
    assert live is not None
    assert (live.id, live.state, live.replaces) == (generation.id, "live", "")
    assert live.published >= live.created


def test_publishing_keeps_one_generation_to_roll_back_to(stocking: Stocking) -> None:
    first, second, third = stocking.live(), stocking.live(), stocking.live()
    assert [stocking.state(one) for one in (first, second, third)] == ["retired", "previous", "live"]
    assert stocking.generations.get("als", third.id).replaces == second.id
    assert stocking.generations.get("als", first.id).retired_at > 0


def test_publishing_a_delta_lays_it_over_its_base(stocking: Stocking) -> None:
    before, base = stocking.live(), stocking.live()
    delta = stocking.ready_delta(base)
    pointer = stocking.generations.publish("als", delta.id, delta.fence, overlap=0.75, changed=0.5)
    assert pointer == stocking.generations.pointer("als") == Pointer(base.id, delta.id)
    assert [stocking.state(one) for one in (before, base, delta)] == ["previous", "live", "live"]
    assert [layer.id for layer in stocking.generations.layers("als")] == [base.id, delta.id]
    published = stocking.generations.get("als", delta.id)
    assert (published.replaces, published.overlap, published.changed) == ("", 0.75, 0.5)
    assert stocking.generations.get("als", base.id).replaces == before.id


def test_a_delta_takes_the_place_of_the_one_before(stocking: Stocking) -> None:
    base = stocking.live()
    first, second = stocking.live_delta(base), stocking.live_delta(base)
    assert stocking.generations.pointer("als") == Pointer(base.id, second.id)
    assert [stocking.state(one) for one in (base, first, second)] == ["live", "retired", "live"]
    assert second.replaces == first.id
    assert stocking.generations.publish("als", second.id, second.fence) == Pointer(base.id, second.id)
    assert stocking.state(second) == "live"


def test_publishing_a_base_drops_the_delta(stocking: Stocking) -> None:
    base = stocking.live()
    delta, following = stocking.live_delta(base), stocking.ready()
    stocking.generations.publish("als", following.id, following.fence)
    assert stocking.generations.pointer("als") == Pointer(following.id)
    assert [stocking.state(one) for one in (base, delta)] == ["previous", "retired"]
    assert stocking.generations.rollback("als") == Pointer(base.id)


def test_a_delta_over_a_base_that_is_not_live_is_not_published(stocking: Stocking) -> None:
    early, late = stocking.live(), stocking.live()
    for base in (early, stocking.open()):
        delta = stocking.ready_delta(base)
        with pytest.raises(FenceLost, match="not live"):
            stocking.generations.publish("als", delta.id, delta.fence)
    assert stocking.generations.pointer("als") == Pointer(late.id)
    assert stocking.state(late) == "live"


def test_a_delta_that_was_overtaken_or_is_not_verified_is_not_published(stocking: Stocking) -> None:
    base = stocking.live()
    unverified = stocking.open(USERS[:5], base=base.id)
    with pytest.raises(GenerationIncomplete, match="is building"):
        stocking.generations.publish("als", unverified.id, unverified.fence)
    overtaken = stocking.ready_delta(base)
    stocking.generations.next_fence("als")
    with pytest.raises(FenceLost):
        stocking.generations.publish("als", overtaken.id, overtaken.fence)
    assert stocking.generations.pointer("als") == Pointer(base.id)


def test_no_delta_is_published_over_a_rollback_until_it_is_released(stocking: Stocking) -> None:
    base = stocking.live()
    stocking.live_delta(base)
    under_way = stocking.ready_delta(base)
    stocking.generations.rollback("als")
    late = stocking.ready_delta(base)
    with pytest.raises(ModelOnHold):
        stocking.generations.publish("als", late.id, late.fence)
    stocking.generations.release("als")
    with pytest.raises(FenceLost):
        stocking.generations.publish("als", under_way.id, under_way.fence)
    assert stocking.generations.publish("als", late.id, late.fence) == Pointer(base.id, late.id)


def test_publishing_twice_after_a_crash_changes_nothing(stocking: Stocking) -> None:
    first, second = stocking.live(), stocking.live()
    before = stocking.generations.list("als")
    stocking.generations.next_fence("als")
    assert stocking.generations.publish("als", second.id, second.fence) == Pointer(second.id)
    assert stocking.generations.list("als") == before
    assert stocking.state(first) == "previous"


def test_a_run_that_was_overtaken_publishes_nothing(stocking: Stocking) -> None:
    live, early = stocking.live(), stocking.ready()
    stocking.generations.next_fence("als")
    with pytest.raises(FenceLost):
        stocking.generations.publish("als", early.id, early.fence)
    assert stocking.generations.pointer("als") == Pointer(live.id)
    assert stocking.state(live) == "live"


def test_a_fence_that_is_not_the_generations_own_publishes_nothing(stocking: Stocking) -> None:
    early = stocking.ready()
    fence = stocking.generations.next_fence("als")
    with pytest.raises(FenceLost):
        stocking.generations.publish("als", early.id, fence)


def test_a_generation_that_is_not_verified_is_not_published(stocking: Stocking) -> None:
    generation = stocking.open()
    with pytest.raises(GenerationIncomplete, match="is building"):
        stocking.generations.publish("als", generation.id, generation.fence)
    stocking.generations.fail("als", generation.id, "given up")
    with pytest.raises(GenerationIncomplete, match="is failed"):
        stocking.generations.publish("als", generation.id, generation.fence)
    assert stocking.generations.pointer("als") is None


def test_rolling_back_serves_the_previous_generation_and_holds_the_model(stocking: Stocking) -> None:
    first, second = stocking.live(), stocking.live()
    assert stocking.generations.rollback("als") == Pointer(first.id)
    assert [stocking.state(one) for one in (first, second)] == ["live", "retired"]
    assert stocking.generations.held_since("als") is not None


def test_nothing_is_published_over_a_rollback_until_it_is_released(stocking: Stocking) -> None:
    first = stocking.live()
    under_way = stocking.open()
    stocking.live()
    stocking.generations.rollback("als")
    later = stocking.ready()
    with pytest.raises(ModelOnHold, match="topshelf release als"):
        stocking.generations.publish("als", later.id, later.fence)
    assert stocking.generations.pointer("als") == Pointer(first.id)
    assert stocking.generations.release("als")
    assert not stocking.generations.release("als")
    with pytest.raises(FenceLost):
        stocking.generations.publish("als", under_way.id, under_way.fence)
    assert stocking.generations.publish("als", later.id, later.fence) == Pointer(later.id)
    assert stocking.state(first) == "previous"


def test_a_run_under_way_at_a_rollback_loses_its_fence(stocking: Stocking) -> None:
    stocking.live()
    stocking.live()
    under_way = stocking.ready()
    stocking.generations.rollback("als")
    stocking.generations.release("als")
    with pytest.raises(FenceLost):
        stocking.generations.publish("als", under_way.id, under_way.fence)


def test_rolling_back_drops_the_delta_first_and_holds_the_model(stocking: Stocking) -> None:
    first, base = stocking.live(), stocking.live()
    delta = stocking.live_delta(base)
    assert stocking.generations.rollback("als") == Pointer(base.id)
    assert [stocking.state(one) for one in (first, base, delta)] == ["previous", "live", "retired"]
    assert stocking.generations.held_since("als") is not None
    assert stocking.generations.next_fence("als") == delta.fence + 2
    assert stocking.generations.rollback("als") == Pointer(first.id)


def test_there_is_one_step_back_only(stocking: Stocking) -> None:
    with pytest.raises(NothingToRollBack):
        stocking.generations.rollback("als")
    stocking.live()
    with pytest.raises(NothingToRollBack):
        stocking.generations.rollback("als")
    stocking.live()
    stocking.live()
    pointer = stocking.generations.rollback("als")
    with pytest.raises(NothingToRollBack):
        stocking.generations.rollback("als")
    assert stocking.generations.pointer("als") == pointer


def test_a_refused_rollback_holds_nothing(stocking: Stocking) -> None:
    live = stocking.live()
    with pytest.raises(NothingToRollBack):
        stocking.generations.rollback("als")
    assert stocking.generations.held_since("als") is None
    assert stocking.generations.next_fence("als") == live.fence + 1


def test_only_what_was_never_published_can_fail(stocking: Stocking) -> None:
    live, ready, building = stocking.live(), stocking.ready(), stocking.open()
    assert not stocking.generations.fail("als", live.id, "no")
    assert stocking.generations.fail("als", ready.id, "out of memory")
    assert stocking.generations.fail("als", building.id, "out of memory")
    assert not stocking.generations.fail("als", building.id, "again")
    assert stocking.generations.get("als", ready.id).error == "out of memory"
    assert stocking.state(live) == "live"
    assert not stocking.generations.fail("als", "99", "no such generation")


def test_segments_are_replaced_whole(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    name = stocking.open((), layout="segments").id
    stocking.generations.write_segments("als", name, [b"ab", b"cd", b"ef"], ["", "Comédie", "戏剧"])
    stocking.generations.write_segments("als", name, [b"gh"], [""])
    assert client.hgetall(keys.segments("als", name)) == {b"labels": b'[""]', b"0": b"gh"}
