"""What a size costs, before anything runs."""

import pytest
import typer

from store.connection import allocator_of, connect
from tests.topshelf.cli.outcome import Topshelf
from topshelf.cli.plan import amount, duration, size

SMALL = ("plan", "--users", "100k", "--items", "15_706", "--k", "10", "--json")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("50M", 50_000_000),
        ("1.2k", 1_200),
        ("1_000_000", 10**6),
        ("962,179", 962_179),
        ("2b", 2 * 10**9),
        ("1", 1),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, number: int) -> None:
    assert amount(text) == number


@pytest.mark.parametrize("text", ["", "0", "-5", "1.5", "1.2345k", "many", "5T", "1e6", "9999B", "k"])
def test_an_amount_that_is_none_is_answered_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="50M"):
        amount(text)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (2_160_000_000, "2.16 GB"),
        (999_600, "1 MB"),
        (5 * 10**15, "5,000.0 TB"),
    ],
)
def test_sizes_have_three_digits_and_a_unit(n_bytes: int, text: str) -> None:
    assert size(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "0.5 s"), (31.4, "31 s"), (90, "1.5 min"), (14_400, "4 h")]
)
def test_durations_have_a_unit_too(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_table_names_every_cost_within_80_columns(
    topshelf: Topshelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = topshelf("plan", "--users", "50M", "--items", "1M", "--k", "10").out
    assert max(map(len, shown.splitlines())) <= 80
    for part in (
        "rows",
        "keys",
        "catalogue",
        "bitmap",
        "peak",
        "chunks",
        "scoring",
        "writing",
        "memory",
        "network",
    ):
        assert part in shown
    assert "scores, ends of rows" not in shown


def test_a_user_costs_some_thirty_bytes(topshelf: Topshelf) -> None:
    answer = topshelf(*SMALL).answer
    assert answer["redis_bytes"]["peak"] == 3 * answer["redis_bytes"]["total"]
    rows = answer["redis_bytes"]["rows"] + answer["redis_bytes"]["keys"]
    assert 26 < rows / answer["users"] < 32
    assert (answer["buckets"], answer["chunks"]) == (1_563, 10)


@pytest.mark.parametrize(
    ("options", "what"),
    [(("--user-ids", "uuid"), "redis_bytes.rows"), (("--user-ids", "12"), "redis_bytes.rows"),
     (("--scores",), "redis_bytes.overflow"), (("--k", "40"), "redis_bytes.overflow"),
     (("--neighbours", "100"), "redis_bytes.neighbours"), (("--items", "1M"), "redis_bytes.catalog"),
     (("--factors", "128"), "scoring_seconds"),
     (("--factors", "512"), "worker_process_bytes"), (("--interactions", "1000"), "worker_process_bytes"),
     (("--k", "20"), "network_bytes"), (("--k", "20"), "writing_seconds")],
)  # fmt: skip
def test_what_is_asked_for_has_its_price(topshelf: Topshelf, options: tuple[str, ...], what: str) -> None:
    def price(*options: str) -> float:
        found = topshelf("plan", "--users", "10M", "--items", "20k", "--k", "10", "--json", *options).answer
        for name in what.split("."):
            found = found[name]
        return float(found)

    assert price(*options) > price()


@pytest.mark.parametrize(("options", "times"), [(("--cores", "8"), 4), (("--workers", "4"), 2)])
def test_more_cores_take_less_time(topshelf: Topshelf, options: tuple[str, ...], times: float) -> None:
    seconds = [topshelf("plan", "--users", "10M", "--items", "1M", "--json", *more).answer["scoring_seconds"]
               for more in ((), options)]  # fmt: skip
    assert seconds[0] / seconds[1] == pytest.approx(times, rel=0.01)


def test_a_redis_that_answers_is_asked_how_it_allocates(
    topshelf: Topshelf, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = topshelf(*SMALL).answer
    assert usual["allocator"] == "jemalloc"
    monkeypatch.setenv("TOPSHELF_SERVING_URL", redis_url)
    asked = topshelf(*SMALL).answer
    with connect(redis_url) as client:
        assert asked["allocator"] == allocator_of(client)


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--users", "50X"), "no amount"), (("--user-ids", "email"), "neither int, uuid"),
     (("--device", "tpu"), "neither cpu nor cuda"), (("--user-ids", "0"), "neither int, uuid")],
)  # fmt: skip
def test_what_cannot_be_planned_is_said(topshelf: Topshelf, options: tuple[str, ...], said: str) -> None:
    outcome = topshelf("plan", "--users", "1M", "--items", "1k", *options)
    assert outcome.exit_code == 2
    assert said in " ".join(outcome.err.replace("│", " ").split())
