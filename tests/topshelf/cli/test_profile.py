import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.embedded import EmbeddedRedis
from tests.topshelf.cli.outcome import Topshelf
from tests.topshelf.cli.stocked import stocked_reader
from tests.topshelf.profiling.test_files import stand_in
from topshelf.cli.profile import KEPT
from topshelf.profiling import startup
from topshelf.profiling.files import profiles_in
from topshelf.profiling.phases import Phase
from topshelf.profiling.startup import Startup

ON = ("--token", "admin-token", "--url")


@pytest.fixture(scope="module")
def reader(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A reader of two processes for all tests of this file."""
    with stocked_reader(redis_server, tmp_path_factory.mktemp("reader"), f"{__name__}:", processes=2) as url:
        yield url


def test_a_request_is_profiled_whichever_process_answers_it(
    reader: str, topshelf: Topshelf, tmp_path: Path
) -> None:
    for _ in range(4):
        outcome = topshelf("profile", "request", "/reco/als/7", *ON, reader, "--json")
        assert outcome.exit_code == 0, outcome.err
        assert (outcome.answer["status"], outcome.answer["path"]) == (200, "/reco/als/7")
        assert outcome.answer["milliseconds"] > 0
        page, speedscope = map(Path, outcome.answer["files"])
        assert page.parent == tmp_path / "data" / "profiles" / "requests"
        assert page.read_text().startswith("<!DOCTYPE html>")
        assert json.loads(speedscope.read_text())["profiles"]


def test_people_see_the_tree_and_where_the_files_are(reader: str, topshelf: Topshelf, tmp_path: Path) -> None:
    outcome = topshelf("profile", "request", "/reco/als/7", *ON, reader, "--out", tmp_path / "out")
    assert "GET /reco/{model_name}/{user_id}" in outcome.out
    assert "HotRoute" in outcome.out
    assert f"{tmp_path}/out/" in outcome.out
    assert outcome.out.rstrip().endswith(".speedscope.json")


@pytest.mark.parametrize(
    ("arguments", "method", "status"),
    [
        (["/reco/als", "--data", '{"user_ids": [1, 2]}'], "POST", 200),
        (["/items/107", "-X", "delete"], "DELETE", 200),
        (["/reco/alz/7"], "GET", 404),
        (["/reco/als/7?k=0"], "GET", 422),
    ],
)
def test_any_route_and_any_status_is_profiled(
    reader: str, topshelf: Topshelf, arguments: list[str], method: str, status: int
) -> None:
    outcome = topshelf("profile", "request", *arguments, *ON, reader, "--json")
    assert outcome.exit_code == 0, outcome.err
    assert (outcome.answer["method"], outcome.answer["status"]) == (method, status)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "key"),
    [
        (["/reco/als/7", "--token", "read-token"], 1, "not_allowed"),
        (["/reco/als/7", "--token", "wrong"], 1, "not_authenticated"),
        (["reco/als/7"], 1, "request_invalid"),
        (["/events", "--data", "{"], 1, "request_invalid"),
    ],
)
def test_what_cannot_be_profiled_is_an_error_that_says_why(
    reader: str, topshelf: Topshelf, arguments: list[str], exit_code: int, key: str
) -> None:
    outcome = topshelf("profile", "request", *ON, reader, *arguments, "--json")
    assert (outcome.exit_code, outcome.error["error_key"]) == (exit_code, key)


def test_nobody_there_is_an_error(topshelf: Topshelf) -> None:
    outcome = topshelf("profile", "request", "/health", "--json")
    assert (outcome.exit_code, outcome.error["error_key"]) == (7, "service_failed")
    outcome = topshelf("profile", "startup", "--json")
    assert (outcome.exit_code, outcome.error["error_key"]) == (5, "store_unavailable")


def test_the_profiles_of_jobs_are_listed_the_newest_job_first(topshelf: Topshelf, tmp_path: Path) -> None:
    assert "topshelf train MODEL --profile" in topshelf("profile", "jobs").out
    root = tmp_path / "data" / "profiles" / "jobs"
    older, newer = stand_in(root / "a-job", "train-1", 20), stand_in(root / "nightly%2E1", "train-1", 10)
    listed = topshelf("profile", "jobs", "--json").answer
    assert [(one["job"], one["page"]) for one in listed] == [("nightly.1", str(newer)), ("a-job", str(older))]
    assert listed[0]["speedscope"].endswith("/nightly%2E1/train-1.speedscope.json")
    one = topshelf("profile", "jobs", "a-job").out
    assert "a-job" in one
    assert "nightly" not in one


def test_our_own_folder_keeps_the_newest_and_one_that_was_named_is_left_alone(
    reader: str, topshelf: Topshelf, tmp_path: Path
) -> None:
    ours, named = tmp_path / "data" / "profiles" / "requests", tmp_path / "site"
    for folder in (ours, named):
        for age in range(KEPT + 5):
            stand_in(folder, f"page-{age:02}", age)
    for out in ((), ("--out", named)):
        assert topshelf("profile", "request", "/health", *ON, reader, *out).exit_code == 0
    assert len(profiles_in(ours)) == KEPT
    assert len(profiles_in(named)) == KEPT + 5 + 1


def test_the_phases_of_a_start_are_a_table_with_the_share_of_each(
    topshelf: Topshelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {f"package {number}": 0.01 * number for number in range(20)}
    phases = [Phase("interpreter", 0.1), Phase("imports", 1.9, parts), Phase("loading models", 8.0)]
    found = Startup("api", phases, 0.2, {"models": []}, [Path("api.html")])
    monkeypatch.setattr(startup, "profile_startup", lambda *_, **__: found)
    shown = topshelf("profile", "startup").out
    lines = {" ".join(line.split()) for line in shown.splitlines()}
    assert f"loading models 8.000 80.0% {'█' * 24}" in lines
    assert "imports 1.900 19.0% ██████" in lines
    assert "package 19 0.190 1.9% █" in lines
    assert "12 others 0.660 6.6% ██" in lines
    assert "ready after 10.00 s (models: none); loading the profiler, 0.20 s, is not counted" in shown
    answer = topshelf("profile", "startup", "--json").answer
    assert answer["phases"][2] == {"phase": "loading models", "seconds": 8.0, "share": 0.8, "parts": {}}
    assert answer["files"] == ["api.html"]
