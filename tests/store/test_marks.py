import time

import redis

from store.keys import Keys
from store.marks import BITS, WINDOW_SECONDS, UserMarks, bitmap_names, mark_of, window_at
from store.recents import Recents

MONTH = 30 * 86_400


def loaded(client: redis.Redis, keys: Keys, ttl_seconds: int = MONTH) -> UserMarks:
    marks = UserMarks()
    marks.begin()
    marks.load([client.get(name) for name in bitmap_names(keys, ttl_seconds)])  # type: ignore[misc]
    return marks


def test_whoever_touched_something_or_has_a_profile_is_marked(client: redis.Redis, keys: Keys) -> None:
    recents = Recents(client, keys, MONTH)
    recents.touch("1", ["a"])
    recents.put_profile("用户", {})
    marks = loaded(client, keys)
    assert marks.sure
    assert marks.may_have_more(b"1")
    assert marks.may_have_more("用户".encode())
    assert not marks.may_have_more(b"2")


def test_the_bits_of_recent_items_go_in_time_and_those_of_profiles_stay(
    client: redis.Redis, keys: Keys
) -> None:
    recents = Recents(client, keys, 100)
    recents.touch("1", ["a"])
    recents.put_profile("2", {})
    window = keys.recent_marks(window_at(time.time()))
    assert WINDOW_SECONDS < client.ttl(window) <= 2 * WINDOW_SECONDS + 100
    assert client.ttl(keys.profile_marks) == -1


def test_every_window_is_read_that_a_list_may_have_been_touched_in(keys: Keys) -> None:
    now = window_at(time.time())
    names = bitmap_names(keys, 3 * WINDOW_SECONDS)
    assert {keys.recent_marks(window) for window in range(now - 3, now + 1)} <= set(names)
    assert keys.profile_marks in names


def test_nobody_is_sure_before_the_bitmaps_are_there() -> None:
    marks = UserMarks()
    assert not marks.sure
    assert marks.may_have_more(b"1")


def test_what_is_marked_while_the_bitmaps_are_read_is_not_lost() -> None:
    marks = UserMarks()
    marks.begin()
    marks.mark(b"1")
    marks.load([None])
    assert marks.may_have_more(b"1")
    assert not marks.may_have_more(b"2")


def test_marks_that_were_forgotten_are_read_again() -> None:
    marks = UserMarks()
    marks.begin()
    marks.load([None])
    marks.forget()
    assert not marks.sure
    assert marks.may_have_more(b"2")


def test_a_bit_is_where_redis_has_it(client: redis.Redis, keys: Keys) -> None:
    client.setbit(keys.profile_marks, mark_of(b"7"), 1)
    marks = loaded(client, keys)
    assert marks.may_have_more(b"7")
    assert sum(marks.may_have_more(b"%d" % user) for user in range(100_000)) < 100_000 / BITS * 100 + 10
