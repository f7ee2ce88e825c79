import pytest
import redis

from store.allocation import FieldBytes, Server, key_entry, number_entry, text_entry
from store.compactness import CompactLimits


@pytest.mark.parametrize(
    ("asked", "given"),
    [(1, 8), (9, 16), (24, 32), (128, 128), (129, 160), (161, 192), (256, 256), (257, 320), (2_701, 3_072),
     (4_097, 5_120), (16_000_006, 16_777_216)],
)  # fmt: skip
def test_jemalloc_rounds_up_to_its_size_classes(asked: int, given: int) -> None:
    assert Server("jemalloc-5.3.0").allocated(asked) == given


@pytest.mark.parametrize(("asked", "given"), [(1, 24), (24, 24), (25, 40), (40, 40), (41, 56)])
def test_glibc_rounds_up_to_sixteen_bytes_and_takes_eight(asked: int, given: int) -> None:
    assert Server("libc").allocated(asked) == given


@pytest.mark.parametrize(
    ("key", "size"),
    [(b"0", 2), (b"127", 2), (b"128", 3), (b"4096", 4), (b"32768", 5), (b"8388608", 6), (b"2147483648", 10),
     (b"-1", 3), (b"007", 5), (b"-0", 4), (b"", 2), (b"1" * 20, 22), (b"x" * 63, 65), (b"x" * 64, 67),
     (b"9223372036854775807", 10), (b"9223372036854775808", 21), (b"9" * 5_000, 5_007)],
)  # fmt: skip
def test_ids_that_are_numbers_are_kept_as_numbers(key: bytes, size: int) -> None:
    assert key_entry(key) == size


@pytest.mark.parametrize("n", [1, 9, 127, 128, 5_000, 40_000])
def test_the_mean_of_the_first_numbers_is_that_of_each(n: int) -> None:
    counted, listed = FieldBytes.numbers(n), FieldBytes.of([b"%d" % number for number in range(1, n + 1)])
    assert (counted.length, counted.packed) == pytest.approx((listed.length, listed.packed))


def test_entries_are_as_long_as_redis_says(own_client: redis.Redis) -> None:
    if "listpack" not in str(own_client.config_get("hash-max-listpack-value")):
        pytest.skip("this Redis has ziplists")
    words = [b"7", b"300", b"5000", b"100000", b"9000000", b"9" * 12, b"x", b"y" * 60]
    pairs = [word for pair in zip(words, reversed(words), strict=True) for word in pair]
    own_client.hset("h", items=pairs)
    expected = Server("libc", CompactLimits()).allocated(7 + sum(map(key_entry, pairs)))
    assert own_client.memory_usage("h") == pytest.approx(expected, abs=100)


def test_numbers_and_texts_take_what_listpacks_give_them() -> None:
    assert [number_entry(number) for number in (0, -5_000, 2**62)] == [2, 4, 10]
    assert [text_entry(length) for length in (20, 63, 64, 200)] == [22, 65, 67, 204]
