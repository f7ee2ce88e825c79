from hypothesis import given
from hypothesis import strategies as st

from store.bucket_cache import Bucket, BucketCache

ROWS = st.dictionaries(st.text(min_size=1).map(str.encode), st.binary(max_size=200), max_size=120)


@given(ROWS, st.text().map(str.encode))
def test_a_bucket_gives_back_what_it_was_given(rows: dict[bytes, bytes], stranger: bytes) -> None:
    bucket = Bucket(rows)
    assert {user: bucket.row(user) for user in rows} == rows
    if stranger and stranger not in rows:
        assert bucket.row(stranger) is None


def test_ids_that_end_alike_are_told_apart() -> None:
    bucket = Bucket({b"11": b"a", b"1": b"b", b"111": b"c"})
    assert [bucket.row(user) for user in (b"1", b"11", b"111")] == [b"b", b"a", b"c"]
    assert bucket.row(b"1111") is None


def test_rows_that_look_like_ids_do_no_harm() -> None:
    bucket = Bucket({b"1": b"\xff2\xff", b"2": b"\xff1\xff"})
    assert bucket.row(b"2") == b"\xff1\xff"


def bucket(size: int = 100) -> Bucket:
    return Bucket({b"user": b"x" * size})


def test_a_bucket_is_worth_keeping_once_it_is_asked_for_again() -> None:
    cache = BucketCache(10_000)
    assert [cache.worth_keeping(b"a") for _ in range(2)] == [False, True]
    assert not cache.worth_keeping(b"b")


def test_without_room_nothing_is_worth_keeping() -> None:
    cache = BucketCache(0)
    assert not any(cache.worth_keeping(b"a") for _ in range(3))


def test_the_bucket_asked_for_longest_ago_makes_room() -> None:
    cache = BucketCache(3 * bucket().size_bytes)
    for name in (b"a", b"b", b"c"):
        cache.put(name, bucket())
    cache.get(b"a")
    cache.put(b"d", bucket())
    assert [name for name in (b"a", b"b", b"c", b"d") if cache.get(name)] == [b"a", b"c", b"d"]
    assert cache.size_bytes == 3 * bucket().size_bytes


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = BucketCache(1_000)
    cache.put(b"a", bucket(2_000))
    assert (len(cache), cache.size_bytes) == (0, 0)


def test_a_crawl_through_everything_takes_little_memory() -> None:
    cache = BucketCache(100_000)
    for number in range(10_000):
        cache.worth_keeping(b"bucket %d" % number)
    assert len(cache._asked_once) < 300
