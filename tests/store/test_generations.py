import pytest
import redis

from store.generations import Generations, Pointer
from store.keys import Keys
from tests.store.stocking import USERS, Stocking
from topshelf.errors import (
    FenceLost,
    GenerationIncomplete,
    GenerationNotFound,
    ModelOnHold,
    NothingToRollBack,
)


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
        generations.chunks.finish("als", "7", 0, 1)
    assert generations.live("als") is None
    assert generations.pointer("als") is None


def test_a_fence_is_over_one_given_out_before(generations: Generations) -> None:
    assert generations.next_fence("als", above=7) == 8
    assert generations.next_fence("als", above=7) == 9


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
