import redis

from store.generations import Generations
from store.keys import Keys
from tests.store.stocking import Stocking
from tests.waiting import wait_until


def unclaimed(generations: Generations, name: str, idle_seconds: float = 0) -> list[int]:
    """Chunks nobody holds or held a lease on, and that count as stalled."""
    stalled = generations.chunks.stalled("als", name, idle_seconds=idle_seconds)
    return [chunk.chunk for chunk in stalled if not chunk.expired]


def test_a_chunk_is_granted_to_one_worker_at_a_time(stocking: Stocking) -> None:
    generation = stocking.open()
    claims = [
        stocking.generations.chunks.claim("als", generation.id, chunk, lease_seconds=60)
        for chunk in (0, 0, 1)
    ]
    assert claims == ["granted", "leased", "granted"]


def test_a_chunk_whose_lease_ran_out_is_granted_again(stocking: Stocking) -> None:
    generation = stocking.open()

    def granted() -> bool:
        return stocking.generations.chunks.claim("als", generation.id, 0, lease_seconds=0.05) == "granted"

    assert granted()
    wait_until(granted)
    wait_until(lambda: (0, 2, True) in stocking.generations.chunks.stalled("als", generation.id))


def test_a_renewed_lease_keeps_others_out(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert generations.chunks.claim("als", name, 0, lease_seconds=0.01) == "granted"
    assert generations.chunks.renew("als", name, 0, lease_seconds=60)
    wait_until(lambda: unclaimed(generations, name) == [1, 2])
    assert generations.chunks.claim("als", name, 0, lease_seconds=60) == "leased"


def test_a_lease_the_server_lost_is_taken_back(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    generations.chunks.claim("als", name, 0, lease_seconds=60)
    client.delete(keys.leases("als", name))
    assert generations.chunks.renew("als", name, 0, lease_seconds=60)
    assert generations.chunks.claim("als", name, 0, lease_seconds=60) == "leased"


def test_there_is_nothing_to_renew_on_a_chunk_that_is_done_or_closed(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    generations.chunks.finish("als", name, 0, 3)
    assert not generations.chunks.renew("als", name, 0, lease_seconds=60)
    generations.fail("als", name, "given up")
    assert not generations.chunks.renew("als", name, 1, lease_seconds=60)


def test_a_lease_that_ran_out_is_released_once_and_one_that_holds_is_not(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert generations.chunks.claim("als", name, 0, lease_seconds=60) == "granted"
    assert generations.chunks.claim("als", name, 1, lease_seconds=0.01) == "granted"
    wait_until(lambda: (1, 1, True) in generations.chunks.stalled("als", name))
    assert [generations.chunks.release("als", name, chunk) for chunk in (0, 1, 1)] == [False, True, False]
    assert (1, 1, False) in generations.chunks.stalled("als", name)
    assert generations.chunks.stalled("als", name, idle_seconds=60) == []


def test_a_finished_chunk_is_counted_once_however_often_it_is_told(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert [generations.chunks.finish("als", name, chunk, 10) for chunk in (1, 1, 0, 1, 2, 2)] == [
        2, 2, 1, 1, 0, 0,
    ]  # fmt: skip
    found = generations.get("als", name)
    assert (found.chunks_done, found.users_written) == (3, 30)
    assert generations.chunks.claim("als", name, 1, lease_seconds=60) == "done"
    assert generations.chunks.stalled("als", name) == []


def test_a_finished_chunk_holds_no_lease(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    generations.chunks.claim("als", name, 0, lease_seconds=60)
    generations.chunks.finish("als", name, 0, 10)
    assert client.hgetall(keys.leases("als", name)) == {b"0:attempts": b"1", b"0:users": b"10"}


def test_a_generation_that_is_not_building_takes_no_chunks(stocking: Stocking) -> None:
    generations, generation = stocking.generations, stocking.open()
    generations.fail("als", generation.id, "given up")
    assert generations.chunks.claim("als", generation.id, 0, lease_seconds=60) == "closed"
    assert generations.chunks.claim("als", "99", 0, lease_seconds=60) == "closed"
    assert generations.chunks.finish("als", generation.id, 0, 10) == 3
    assert generations.chunks.stalled("als", generation.id) == []
    assert generations.get("als", generation.id).users_written == 0


def test_chunks_never_claimed_are_stalled_once_the_generation_is_idle(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert generations.chunks.stalled("als", name) == [(0, 0, False), (1, 0, False), (2, 0, False)]
    generations.chunks.claim("als", name, 1, lease_seconds=60)
    assert unclaimed(generations, name) == [0, 2]
    assert generations.chunks.stalled("als", name, idle_seconds=60) == []
    wait_until(lambda: unclaimed(generations, name, idle_seconds=0.02) == [0, 2])


def test_the_chunks_of_a_new_generation_may_still_be_on_their_way(stocking: Stocking) -> None:
    generations, name = stocking.generations, stocking.open().id
    assert generations.chunks.stalled("als", name, idle_seconds=60) == []
    wait_until(lambda: unclaimed(generations, name, idle_seconds=0.02) == [0, 1, 2])
