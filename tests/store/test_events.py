import pytest
import redis

from store.events import Event, EventLog
from store.keys import Keys
from topshelf.errors import EventsFull


def event(number: int) -> Event:
    return Event(f"e{number}", number, f"фильм {number}", "2026-01-01T00:00:00+00:00", 0.5)


@pytest.fixture
def log(client: redis.Redis, keys: Keys) -> EventLog:
    return EventLog(client, keys, limit=10)


def numbers(batch: list[tuple[str, Event]]) -> list[int | str]:
    return [found.user_id for _, found in batch]


def test_events_are_read_as_they_were_appended(log: EventLog) -> None:
    ids = log.append([event(1), event(2)])
    assert log.read_batch(10) == [(ids[0], event(1)), (ids[1], event(2))]


def test_ids_keep_their_type(log: EventLog) -> None:
    log.append(
        [Event("e1", 1, 2, "2026-01-01T00:00:00+00:00"), Event("e2", "1", "2", "2026-01-01T00:00:00+00:00")]
    )
    found = [(one.user_id, one.item_id) for _, one in log.read_batch(10)]
    assert found == [(1, 2), ("1", "2")]


def test_a_batch_that_does_not_fit_is_refused_whole(log: EventLog) -> None:
    log.append([event(number) for number in range(8)])
    with pytest.raises(EventsFull):
        log.append([event(number) for number in range(8, 11)])
    assert log.length() == 8
    log.append([event(8), event(9)])
    assert log.length() == 10


def test_acknowledged_events_make_room(log: EventLog) -> None:
    log.append([event(number) for number in range(10)])
    log.acknowledge([stream_id for stream_id, _ in log.read_batch(4)])
    assert (log.length(), log.pending()) == (6, 0)
    log.append([event(number) for number in range(4)])


def test_what_was_read_and_not_acknowledged_is_read_again_first(log: EventLog) -> None:
    log.append([event(number) for number in range(5)])
    assert numbers(log.read_batch(2)) == [0, 1]
    assert log.pending() == 2
    assert numbers(log.read_batch(4)) == [0, 1, 2, 3]
    assert numbers(log.read_batch(2)) == [0, 1]


def test_reading_on_leaves_out_what_was_read_before(log: EventLog) -> None:
    log.append([event(number) for number in range(5)])
    first = log.read_batch(3)
    assert numbers(log.read_batch(2, after=first[1][0])) == [2, 3]


def test_another_process_reads_what_a_dead_one_left(log: EventLog, client: redis.Redis, keys: Keys) -> None:
    log.append([event(1)])
    log.read_batch(10)
    assert numbers(EventLog(client, keys, 10).read_batch(10)) == [1]


def test_acknowledging_twice_is_no_harm(log: EventLog) -> None:
    [stream_id] = log.append([event(1)])
    log.read_batch(1)
    log.acknowledge([stream_id])
    log.acknowledge([stream_id])
    log.acknowledge([])
    assert (log.length(), log.read_batch(1)) == (0, [])


def test_an_event_deleted_while_pending_is_passed_over(
    log: EventLog, client: redis.Redis, keys: Keys
) -> None:
    ids = log.append([event(1), event(2)])
    log.read_batch(2)
    client.xdel(keys.events, ids[0])
    assert numbers(log.read_batch(2)) == [2]
    assert log.pending() == 1


def test_an_empty_stream_has_nothing(log: EventLog) -> None:
    assert (log.read_batch(5), log.pending(), log.length(), log.append([])) == ([], 0, 0, [])


@pytest.mark.parametrize("protocol", [2, 3])
def test_both_protocols_read_the_same(redis_url: str, keys: Keys, protocol: int) -> None:
    with redis.Redis.from_url(redis_url, protocol=protocol) as client:
        log = EventLog(client, keys, 10)
        log.append([event(1)])
        assert numbers(log.read_batch(5)) == [1]
        assert numbers(log.read_batch(5)) == [1]
        assert log.pending() == 1
