"""Several trackers at once: each is told everything, once, and none stands in another's way."""

import time

import pytest

from tests.workers.tracking.conftest import INFO, epoch, write_run
from topshelf.errors import TrackerError, TrackerUnavailable
from topshelf.settings import Settings
from workers.tracking import Run, Runs
from workers.tracking.tracker import Tracker, check_reachable
from workers.tracking.trackers import Trackers, create_trackers


class Listener(Tracker):
    """Notes what it is told, unless it is told to fail."""

    name = "listener"

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.error: TrackerError | None = None

    def send(self, run: Run, since: int) -> None:
        if self.error is not None:
            raise self.error
        self.told += [(run.id, number) for number in range(since, len(run.events))]


class WholeRuns(Listener):
    name = "whole_runs"
    whole_runs = True


def trackers(runs: Runs, *several: Tracker) -> Trackers:
    return Trackers(several, runs, silent_seconds=60)


def test_a_tracker_is_told_each_event_once_while_a_run_goes_on(runs: Runs) -> None:
    listener = Listener()
    both = trackers(runs, listener)
    log = runs.log("job-1")
    log.begin(INFO)
    both.send(listener, time.time())
    log.epoch(epoch(1))
    both.send(listener, time.time())
    both.send(listener, time.time())
    assert listener.told == [("job-1", 0), ("job-1", 1)]
    assert both.with_work(time.time()) == []


def test_what_a_tracker_did_not_take_comes_again_and_the_other_has_it_meanwhile(runs: Runs) -> None:
    down, up = WholeRuns(), Listener()
    both = trackers(runs, down, up)
    write_run(runs, "job-1", epochs=1)
    down.error = TrackerUnavailable("nobody answers")
    with pytest.raises(TrackerUnavailable):
        both.send(down, time.time())
    both.send(up, time.time())
    assert both.with_work(time.time()) == [down]
    down.error = None
    both.send(down, time.time())
    assert down.told == up.told


def test_a_run_that_is_refused_keeps_no_other_back(runs: Runs) -> None:
    class Choosy(Listener):
        def send(self, run: Run, since: int) -> None:
            if run.id == "first":
                raise TrackerError("a name it does not like")
            super().send(run, since)

    choosy = Choosy()
    for run_id in ("first", "second"):
        runs.log(run_id).begin(INFO)
    with pytest.raises(TrackerError, match="does not like"):
        trackers(runs, choosy).send(choosy, time.time())
    assert choosy.told == [("second", 0)]


def test_whole_runs_wait_for_their_end_or_for_a_long_silence(runs: Runs) -> None:
    whole = WholeRuns()
    both = trackers(runs, whole)
    runs.log("job-1").begin(INFO)
    assert both.waiting(whole, time.time()) == []
    assert [run.id for run in both.waiting(whole, time.time() + 61)] == ["job-1"]
    runs.log("job-1").end("cancelled", "somebody asked for it")
    assert [run.id for run in both.waiting(whole, time.time())] == ["job-1"]


def test_trackers_are_off_where_the_settings_say_so(settings: Settings) -> None:
    assert create_trackers(settings.model_copy(update={"trackers": ()})).trackers == ()


def test_a_closed_port_is_found_out_at_once_and_a_file_is_no_server() -> None:
    check_reachable("")
    check_reachable("sqlite:////tmp/mlflow.db")
    with pytest.raises(TrackerUnavailable, match=r"127\.0\.0\.1:1"):
        check_reachable("http://127.0.0.1:1")
