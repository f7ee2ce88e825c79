import threading

from topshelf.reports.rate import MOST_KINDS, OTHER, Rate


class Clock:
    """Stands still until it is put forward."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_of_each_kind_so_many_are_let_through_in_a_period() -> None:
    clock = Clock()
    rate = Rate(2, 60, clock)
    assert [rate.take("a") for _ in range(4)] == [0, 0, None, None]
    assert rate.take("b") == 0
    clock.seconds += 59
    assert rate.take("a") is None


def test_the_first_of_the_next_period_tells_how_many_were_held_back() -> None:
    clock = Clock()
    rate = Rate(1, 60, clock)
    for _ in range(100):
        rate.take("a")
    assert dict(rate.held_back()) == {"a": 99}
    clock.seconds += 60
    assert [rate.take("a"), rate.take("a")] == [99, None]
    assert dict(rate.held_back()) == {"a": 1}


def test_who_makes_up_kinds_is_told_of_as_one_and_fills_no_memory() -> None:
    clock = Clock()
    rate = Rate(1, 60, clock)
    taken = [rate.take(number) for number in range(100 * MOST_KINDS)]
    assert sum(held is not None for held in taken) == MOST_KINDS + 1
    assert len(rate) == MOST_KINDS + 1
    assert dict(rate.held_back()) == {OTHER: 99 * MOST_KINDS - 1}
    clock.seconds += 60
    assert rate.take("one more") == 0
    assert len(rate) <= 2


def test_what_is_forgotten_to_make_room_stays_counted() -> None:
    clock = Clock()
    rate = Rate(1, 60, clock)
    for _ in range(3):
        for number in range(MOST_KINDS):
            rate.take(number)
    clock.seconds += 60
    rate.take("one more")
    assert sum(held for _, held in rate.held_back()) == 2 * MOST_KINDS


def test_none_is_lost_or_counted_twice_among_threads() -> None:
    rate = Rate(1, 60)
    taken: list[int | None] = []

    def take() -> None:
        taken.extend([rate.take("a") for _ in range(2000)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken.count(0) == 1
    assert dict(rate.held_back()) == {"a": 7999}
