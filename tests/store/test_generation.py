from dataclasses import replace

import pytest

from store.generation import Generation, Pointer
from topshelf.errors import StoreError

GENERATION = Generation(
    model="als",
    id="7",
    state="building",
    layout="users",
    dataset="d1",
    artifact="a1",
    knn="",
    n_users=10,
    n_items=100,
    n_buckets=2,
    n_chunks=1,
    buckets_per_chunk=2,
    k_store=20,
    id_width=2,
    fence=7,
    cut_off="2026-01-01T00:00:00+00:00",
    created="2026-01-02T00:00:00+00:00",
)


def as_redis_has_it(generation: Generation) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in generation.to_fields().items()}


def test_a_record_reads_back_as_it_was_written() -> None:
    generation = replace(GENERATION, error="größer als erlaubt", users_written=3)
    assert Generation.from_fields(as_redis_has_it(generation)) == generation


def test_a_delta_reads_back_with_its_base_and_its_churn() -> None:
    delta = replace(GENERATION, base="5", newer="d2", overlap=0.875, changed=0.0)
    assert Generation.from_fields(as_redis_has_it(delta)) == delta
    assert (delta.pointer, delta.histories) == (Pointer("5", "7"), "d2")
    assert (GENERATION.pointer, GENERATION.histories) == (Pointer("7"), "d1")


def test_a_record_written_before_there_were_deltas_is_a_base() -> None:
    raw = as_redis_has_it(GENERATION)
    for name in (b"base", b"newer", b"overlap", b"changed"):
        del raw[name]
    assert Generation.from_fields(raw) == GENERATION


def test_fields_of_a_later_version_are_ignored() -> None:
    assert Generation.from_fields(as_redis_has_it(GENERATION) | {b"touched": b"1"}) == GENERATION


def test_fields_an_earlier_version_did_not_know_have_their_defaults() -> None:
    raw = as_redis_has_it(GENERATION)
    del raw[b"score_width"]
    assert Generation.from_fields(raw) == GENERATION


def test_a_damaged_record_is_an_error() -> None:
    raw = as_redis_has_it(GENERATION)
    with pytest.raises(StoreError, match="generation 7 is damaged"):
        Generation.from_fields(raw | {b"n_users": b"many"})
    with pytest.raises(StoreError, match="generation 7 is damaged"):
        Generation.from_fields(raw | {b"overlap": b"most"})
    del raw[b"dataset"]
    with pytest.raises(StoreError, match="dataset"):
        Generation.from_fields(raw)


def test_the_width_of_a_row_is_that_of_its_indices_or_of_a_segment_number() -> None:
    assert GENERATION.row_width == 40
    assert replace(GENERATION, layout="segments").row_width == 2


@pytest.mark.parametrize(("text", "pointer"), [("7", Pointer("7")), ("7:9", Pointer("7", "9"))])
def test_pointers_name_a_base_and_perhaps_a_delta(text: str, pointer: Pointer) -> None:
    assert Pointer.parse(text) == pointer
    assert str(pointer) == text


def test_rules_are_read_from_their_json_and_none_are_empty() -> None:
    assert GENERATION.parsed_rules == {}
    assert replace(GENERATION, rules='{"block":[7]}').parsed_rules == {"block": [7]}
