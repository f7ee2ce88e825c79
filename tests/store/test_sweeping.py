import redis

from store.blobs import Blobs
from store.catalog import write_catalog
from store.generation import Generation
from store.generations import Pointer
from store.keys import Keys
from tests.store.stocking import USERS, Stocking

LATER = 10_000.0


def sweep(stocking: Stocking, *, retire_after: float = 0, zombie_after: float = LATER) -> int:
    return stocking.generations.sweep(
        "als", retire_after_seconds=retire_after, zombie_after_seconds=zombie_after
    )


def test_what_left_the_pointer_and_the_rollback_slot_is_unlinked(stocking: Stocking) -> None:
    retired, previous, live = stocking.live(), stocking.live(), stocking.live()
    before = stocking.content_keys(live)
    assert before > 0
    assert sweep(stocking) == before + 2  # its finished chunks and their attempts, too
    assert [stocking.content_keys(one) for one in (retired, previous, live)] == [0, before, before]
    assert stocking.generations.rollback("als") == Pointer(previous.id)


def test_a_generation_stays_for_readers_that_still_hold_its_pointer(stocking: Stocking) -> None:
    retired, _, _ = stocking.live(), stocking.live(), stocking.live()
    assert sweep(stocking, retire_after=LATER) == 0
    assert stocking.content_keys(retired) > 0


def test_what_was_rolled_back_is_swept_and_what_is_live_again_stays(stocking: Stocking) -> None:
    first, second = stocking.live(), stocking.live()
    stocking.generations.rollback("als")
    sweep(stocking)
    assert stocking.content_keys(first) > 0
    assert stocking.content_keys(second) == 0


def test_a_delta_goes_once_another_took_its_place(stocking: Stocking) -> None:
    base = stocking.live()
    first, second = stocking.live_delta(base), stocking.live_delta(base)
    assert sweep(stocking, retire_after=LATER) == 0
    assert sweep(stocking) > 0
    assert [stocking.content_keys(one) > 0 for one in (base, first, second)] == [True, False, True]


def test_a_delta_goes_with_the_next_base_and_the_one_below_it_stays_to_roll_back_to(
    stocking: Stocking,
) -> None:
    base = stocking.live()
    delta, following = stocking.live_delta(base), stocking.live()
    sweep(stocking)
    assert [stocking.content_keys(one) > 0 for one in (base, delta, following)] == [True, False, True]


def test_a_delta_under_the_pointer_stays_whatever_its_record_says(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    base = stocking.live()
    delta = stocking.live_delta(base)
    client.hset(keys.generation("als", delta.id), "state", "failed")
    assert sweep(stocking) == 0


def test_a_failed_generation_is_swept_with_its_leases_and_overflow(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open(n_items=2**20, k_store=30)
    stocking.fill_chunk(generation, dict.fromkeys(USERS, range(30)), 0)
    stocking.generations.chunks.claim("als", generation.id, 1, lease_seconds=60)
    stocking.generations.write_segments("als", generation.id, [b"ab"], [""])
    stocking.generations.fail("als", generation.id, "given up")
    sweep(stocking)
    left = {key.decode() for key in client.scan_iter(f"{keys.prefix}*") if isinstance(key, bytes)}
    assert left == {
        keys.generation("als", generation.id), keys.generations("als"), keys.fence("als"), keys.models,
    }  # fmt: skip
    assert stocking.generations.get("als", generation.id).error == "given up"


def test_a_swept_generation_is_swept_once(stocking: Stocking) -> None:
    stocking.generations.fail("als", stocking.ready().id, "given up")
    assert sweep(stocking) > 0
    assert sweep(stocking) == 0


def test_what_a_zombie_wrote_after_the_sweep_goes_with_the_record(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.ready()
    stocking.generations.fail("als", generation.id, "given up")
    sweep(stocking)
    client.hset(keys.bucket("als", generation.id, 5), "user 1", b"ab")
    assert sweep(stocking, zombie_after=0) == 2
    assert stocking.content_keys(generation) == 0
    assert stocking.generations.list("als") == []


def test_a_run_that_was_overtaken_is_given_up(stocking: Stocking) -> None:
    overtaken, following = stocking.open(), stocking.open()
    sweep(stocking, retire_after=LATER)
    assert [stocking.state(one) for one in (overtaken, following)] == ["failed", "building"]
    assert "overtaken" in stocking.generations.get("als", overtaken.id).error


def test_a_generation_of_many_buckets_is_swept_whole(stocking: Stocking) -> None:
    users = [str(number) for number in range(5_000)]
    generation = stocking.open(users)
    stocking.fill(generation, dict.fromkeys(users, (1, 2, 3)))
    assert generation.n_buckets > 500
    stocking.generations.fail("als", generation.id, "given up")
    sweep(stocking)
    assert stocking.content_keys(generation) == 0


class Catalogued:
    """A generation that names a catalogue and a neighbour artifact of its own."""

    def __init__(self, stocking: Stocking, name: str) -> None:
        self.stocking, self.name = stocking, name
        client, keys = stocking.client, stocking.keys
        write_catalog(
            client,
            keys,
            name,
            item_ids=[1],
            user_id_type="int64",
            item_id_type="int64",
            user_id_max=None,
            categories=[[]],
        )
        Blobs(client).put(lambda part: keys.knn(name, part), {"ids.npy": b"ids"})
        self.generation: Generation = stocking.open((), dataset=name, knn=name)
        stocking.generations.verify("als", self.generation.id)

    @property
    def there(self) -> tuple[int, int]:
        keys = self.stocking.keys
        found = [self.stocking.client.exists(key(self.name, 0)) for key in (keys.catalog, keys.knn)]
        return int(found[0]), int(found[1])


def test_catalogues_and_neighbours_go_with_the_last_generation_that_names_them(stocking: Stocking) -> None:
    gone, kept = Catalogued(stocking, "gone"), Catalogued(stocking, "kept")
    stocking.open((), dataset="kept", knn="kept")
    for one in (gone, kept):
        stocking.generations.fail("als", one.generation.id, "given up")
    sweep(stocking)
    assert (gone.there, kept.there) == ((1, 1), (1, 1))
    sweep(stocking, zombie_after=0)
    assert (gone.there, kept.there) == ((0, 0), (1, 1))


def test_a_catalogue_another_model_names_stays(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    shared = Catalogued(stocking, "shared")
    Stocking(client, keys, "popular").open((), dataset="shared", knn="shared")
    stocking.generations.fail("als", shared.generation.id, "given up")
    sweep(stocking)
    sweep(stocking, zombie_after=0)
    assert stocking.generations.list("als") == []
    assert shared.there == (1, 1)
