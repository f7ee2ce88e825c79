"""The benchmark of the reader: what it sends, counts and measures, and the services it compares with."""

import http.client
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reading.apps.serving import TOKEN
from benchmarks.reading.chart import draw
from benchmarks.reading.draws import zipf_lists, zipf_ranks, zipf_users
from benchmarks.reading.generators import generator, read_oha, read_wrk
from benchmarks.reading.load import is_whole, load, request_bytes
from benchmarks.reading.measures import Load, Turn, figures, speed_ratio
from benchmarks.reading.report import Limit, Results, as_json, failed, headline, report
from benchmarks.reading.rounds import write_paths
from benchmarks.reading.servers import Server
from benchmarks.reading.sides import Place, Side, all_sides, path_of
from benchmarks.reading.sink import sentry_sink
from benchmarks.reading.startup import Startup
from benchmarks.reading.stock import Stock, stock
from store.buckets import bucket_count
from store.connection import connect
from store.embedded import EmbeddedRedis, free_port
from store.generations import Generations
from store.keys import Keys
from topshelf.errors import ServiceError
from topshelf.settings import Settings

USERS, NEWCOMERS = 400, 5


class Handler(BaseHTTPRequestHandler):
    """Answers 500 to paths below /broken, breaks the connection at /gone, counts everything."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "CountingServer"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["authorization"]))
        if self.path == "/gone":
            self.close_connection = True
            return
        self.send_response(500 if self.path.startswith("/broken") else 200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class CountingServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none."""


@contextmanager
def serving() -> Iterator[CountingServer]:
    with CountingServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def counting() -> Iterator[CountingServer]:
    with serving() as server:
        yield server


def ask(server: CountingServer, paths: list[str], *, seconds: float = 20, once: bool = True) -> Load:
    requests = [request_bytes(path, "t") for path in paths]
    return load(server.server_address[1], requests, connections=4, seconds=seconds, once=once)


def test_the_bundled_client_sends_every_path_once_and_measures_the_answers(counting: CountingServer) -> None:
    paths = [f"/{number}" for number in range(200)]
    measured = ask(counting, paths)
    assert sorted(counting.asked) == sorted((path, "Bearer t") for path in paths)
    assert (measured.requests, measured.failed) == (200, 0)
    assert 0 < measured.p50_ms <= measured.p99_ms <= measured.p999_ms <= 1e3 * measured.seconds
    assert measured.per_second == pytest.approx(200 / measured.seconds)


def test_an_answer_that_is_no_success_is_counted_as_failed(counting: CountingServer) -> None:
    measured = ask(counting, ["/fine", "/broken", "/fine", "/broken/too"] * 10)
    assert (measured.requests, measured.failed) == (40, 20)


def test_a_connection_that_breaks_is_a_failure_and_is_opened_anew(counting: CountingServer) -> None:
    measured = ask(counting, ["/fine", "/fine", "/gone", "/fine"] * 5)
    assert (measured.requests, measured.failed) == (15, 5)


def test_a_server_that_is_not_there_is_a_failure() -> None:
    measured = load(free_port(), [b"unsent"], connections=2, seconds=0.01)
    assert measured.requests == 0
    assert measured.failed >= 2
    assert np.isnan(measured.p99_ms)


def test_the_bundled_client_goes_around_until_the_time_is_over(counting: CountingServer) -> None:
    measured = ask(counting, ["/one", "/two"], seconds=0.3, once=False)
    assert measured.failed == 0
    assert len(counting.asked) - 4 <= measured.requests <= len(counting.asked)
    assert {path for path, _ in counting.asked} == {"/one", "/two"}


def test_an_answer_is_whole_when_its_length_has_come() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    assert [is_whole(part) for part in (b"HTT", head[:-1], head, head + b"o", head + b"ok")] == [
        *[False] * 4,
        True,
    ]
    for strange in (head + b"ok!", b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0\r\n\r\n"):
        with pytest.raises(ValueError, match=r"more than|without a length|not HTTP"):
            is_whole(strange)


@pytest.mark.parametrize("client", ["wrk", "bundled"])
def test_a_load_generator_says_what_came_and_what_failed(
    client: str, counting: CountingServer, tmp_path: Path
) -> None:
    try:
        generating = generator(client, tmp_path, "secret")
    except ServiceError as missing:
        pytest.skip(str(missing))
    paths = tmp_path / "paths.txt"
    paths.write_text("/fine\n/broken\n")
    measured = generating.run(counting.server_address[1], paths, connections=2, seconds=1, start=7)
    assert measured.requests > 0
    assert measured.failed == pytest.approx(measured.requests / 2, abs=2)
    assert set(counting.asked) == {("/fine", "Bearer secret"), ("/broken", "Bearer secret")}
    assert 0 < measured.p50_ms <= measured.p999_ms
    assert measured.generator_cpu_seconds > 0


def test_a_load_generator_that_is_not_installed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert generator(None, tmp_path, "").name == "bundled"
    with pytest.raises(ServiceError, match="wrk is not installed; there are bundled"):
        generator("wrk", tmp_path, "")


def test_what_wrk_and_oha_print_is_read() -> None:
    errors = {"connect": 1, "read": 2, "write": 3, "timeout": 4, "status": 5}
    said = {"requests": 100, "us": 2_000_000, **errors, "p50_us": 500.0, "p99_us": 900.0, "p999_us": 1500.0}
    assert read_wrk(f"Running 2s test\n{json.dumps(said)}\n") == Load(100, 2.0, 15, 0.5, 0.9, 1.5)
    document = {
        "summary": {"total": 2.0},
        "latencyPercentiles": {"p50": 0.0005, "p99": 0.001, "p99.9": None},
        "statusCodeDistribution": {"200": 90, "503": 10},
        "errorDistribution": {"aborted due to deadline": 32, "connection closed": 1},
    }
    oha = read_oha(json.dumps(document))
    assert (oha.requests, oha.seconds, oha.failed, oha.p50_ms, oha.p99_ms) == (100, 2.0, 11, 0.5, 1.0)


def test_figures_are_medians_and_ratios_those_of_each_round() -> None:
    slow, fast = (
        [Turn(Load(n, 1.0, 1, n, n, n), n / 1e6) for n in rates] for rates in ([10, 20, 40], [20, 80, 40])
    )
    assert figures(slow).per_second == figures(slow).p99_ms == 20
    assert (figures(slow).requests, figures(slow).failed) == (70, 3)
    assert figures(slow).cpu_us == pytest.approx(1)
    assert speed_ratio(fast, slow) == 2


def test_ranks_are_drawn_as_often_as_one_over_their_number() -> None:
    counts = np.bincount(zipf_ranks(1_000, 1_000_000, np.random.default_rng(1)), minlength=1_000)
    wanted = 1 / np.arange(1, 1_001)
    wanted *= 1_000_000 / wanted.sum()
    assert counts.sum() == 1_000_000
    assert np.abs(counts - wanted).max() < 6 * np.sqrt(wanted[0])
    assert counts[500:].sum() == pytest.approx(wanted[500:].sum(), rel=0.02)


def test_users_and_lists_are_drawn_within_their_bounds() -> None:
    rng = np.random.default_rng(2)
    users = zipf_users(50, 5_000, rng)
    assert set(users.tolist()) == set(range(1, 51))
    lists = zipf_lists(500, 300, 10, rng)
    assert lists.shape == (300, 10)
    assert all(len(set(row)) == 10 for row in lists.tolist())
    assert np.bincount(lists.ravel()).argmax() == 0
    few = zipf_lists(3, 20, 5, rng)
    assert all(sorted(row[:3]) in ([0, 1, 2], [-1, 0, 1], [-1, 0, 2]) for row in few.tolist())
    assert (few[:, 3:] == -1).all()


@pytest.fixture
def results() -> Results:
    """Two rounds: ours is half as fast as the hello, ten times as fast as the rest; (e) is not measured."""
    speeds = {"a": 1_000, "b": 50, "c": 50, "d": 500, "f": 250, "g": 490, "h": 450}
    sides = [
        Side(key, f"side {key}", [], ours=key in "defgh", lacks="cache_mb" * (key == "e"))
        for key in "abcdefgh"
    ]
    turns = {key: [Turn(Load(n, 1.0, 0, 1, 2, 3), 0.1)] * 2 for key, n in speeds.items()}
    return Results(
        sides=sides,
        turns=turns,
        more={"g": Turn(Load(9_000, 20.0, 0, 1, 2, 3), 1)},
        one_connection=[Turn(Load(10, 1.0, 0, 1, 1.5, 3), 0.1)],
        startup=Startup(0.4, 0.5, 0.7),
        rss_mb=64.3,
        limit=Limit("wrk", 100_000, 0.7),
        facts={"users": "1,000"},
    )


def test_the_report_has_the_ratios_beside_what_is_wanted(results: Results) -> None:
    figures_found = headline(results)
    assert figures_found["cold_over_hello"] == 0.5
    assert figures_found["cold_over_plain"] == 10
    assert (figures_found["sentry_over_cold"], figures_found["profiled_over_cold"]) == (0.98, 0.9)
    assert (figures_found["startup_over_plain"], figures_found["knn_p99_ms"]) == (1.25, 1.5)
    assert figures_found["warm_over_hello"] is None
    text = report(results)
    assert "| e | side e | not available: no setting `cache_mb` |" in text
    assert "| g | side g | 490 | 1.00 | 2.00 | 3.00 | 204 | 9,980 | 0 |" in text
    assert "(d) / (a), requests/s | 0.5 | ≥ 0.6 | missed |" in text
    assert "(d) / (b), requests/s | 10 | ≥ 4 | met |" in text
    assert "running 70% of the time: its own limit lies higher" in text
    document = json.loads(json.dumps(as_json(results)))
    assert document["sides"]["e"] is None
    assert document["sides"]["d"]["per_second"] == 500


def test_only_requests_to_ours_count_as_failed(results: Results) -> None:
    broken = Turn(Load(10, 1.0, 3, 1, 1, 1), 0.1)
    assert failed(results) == 0
    assert failed(replace(results, turns={**results.turns, "b": [broken] * 2})) == 0
    assert failed(replace(results, turns={**results.turns, "d": [broken] * 2})) == 6
    assert failed(replace(results, more={"h": broken}, one_connection=[broken])) == 6


def test_the_chart_names_every_side_that_was_measured(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(results, tmp_path / "chart.svg")
    text = (tmp_path / "chart.svg").read_text()
    assert "(d) side d" in text
    assert "(e) side e" not in text


def test_the_stand_in_for_sentry_counts_what_is_posted() -> None:
    with sentry_sink() as sink:
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", sink.server_address[1], timeout=10)
            connection.request("POST", "/api/1/envelope/", body=b"{}")
            assert connection.getresponse().status == 200
            connection.close()
    assert sink.posts == 3
    assert sink.dsn == f"http://key@127.0.0.1:{sink.server_address[1]}/1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, redis_binary: Path | None) -> Iterator[Place]:
    """A generation of a few users in a Redis of its own, as the benchmark stocks it."""
    folder = tmp_path_factory.mktemp("reader")
    with EmbeddedRedis(folder / "redis", append_only=False, server=redis_binary) as redis:
        yield Place(redis.url, stock(redis.url, USERS, NEWCOMERS, seed=0), folder)


def test_what_is_stocked_is_live_and_every_bucket_has_its_users(place: Place) -> None:
    with connect(place.redis_url) as client:
        generations = Generations(client, Keys())
        live = {model: generations.live(model) for model in ("als", "item_knn", "popular")}
        assert client.llen(Keys().recent(str(place.stock.newcomers[0]))) == 10
    assert live["als"] is not None
    assert live["item_knn"] is not None
    n_buckets = bucket_count(USERS, int(Settings.model_fields["users_per_bucket"].default))
    assert (
        (live["als"].n_users, live["als"].n_buckets) == (USERS, place.stock.n_buckets) == (USERS, n_buckets)
    )
    assert live["item_knn"].knn
    assert live["popular"] is not None
    users = place.stock.users_of_every_bucket(3).tolist()
    assert len(users) == len(set(users)) == 3 * place.stock.n_buckets
    assert set(users) <= set(range(1, USERS + 1))


def test_a_bucket_without_users_is_left_out() -> None:
    assert sorted(Stock(2, 0, 50).users_of_every_bucket(2).tolist()) == [1, 1, 2, 2]


def test_every_side_answers_a_list_of_the_shape_the_reader_answers(place: Place) -> None:
    sides = {side.key: side for side in all_sides(place, b'{"user_id":1,"items":[]}', "")}
    answers = {}
    servers = {
        key: Server(sides[key].command, sides[key].environment, place.folder / f"{key}.log") for key in "abcf"
    }
    try:
        for server in servers.values():
            server.start()
        for key in "abc":
            answers[key] = servers[key].wait(path_of(7), TOKEN).body
        answers["ours"] = servers["f"].wait(path_of(7), TOKEN, source="cache").body
        newcomer = servers["f"].wait(path_of(int(place.stock.newcomers[0])), TOKEN, source="knn")
        refused = {key: servers[key].get(path_of(7), "wrong") for key in "bc"}
        assert servers["f"].rss_anon_mb() > 1
        assert servers["f"].cpu_seconds() > 0
    finally:
        for server in servers.values():
            server.stop()
    assert answers["a"] == b'{"user_id":1,"items":[]}'
    assert answers["b"] == answers["ours"]
    for body in (answers["b"], answers["c"], newcomer.body):
        assert {key: type(value) for key, value in json.loads(body).items()} == {
            "user_id": int,
            "items": list,
        }
        assert len(set(json.loads(body)["items"])) == 10
    assert {answer and answer.status for answer in refused.values()} == {401}


def test_a_server_sleeps_while_others_are_measured(place: Place) -> None:
    command = place.app("canned", body="ok")
    with Server(command, {}, place.folder / "canned.log") as server:
        server.wait("/")
        server.pause()
        assert server.get("/", timeout_seconds=0.2) is None
        server.wake()
        assert server.wait("/").body == b"ok"


def test_a_server_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such thing')"]
    with (
        Server(command, {}, tmp_path / "log") as server,
        pytest.raises(ServiceError, match="ended:\nno such thing"),
    ):
        server.wait("/")


def test_paths_are_written_a_line_each(tmp_path: Path) -> None:
    write_paths(tmp_path / "paths", [3, 12])
    assert (tmp_path / "paths").read_text() == "/reco/als/3\n/reco/als/12\n"
