import os
import re
import signal

import pytest

from tests.topshelf.local.watched import NOTES, STAYS, Recorded, Script, eventually
from topshelf.errors import ServiceError
from topshelf.local import watch as timing
from topshelf.local.process import Process
from topshelf.local.supervisor import Supervisor


@pytest.fixture
def quick_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(timing, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(timing, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(timing, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(timing, "SILENT_SECONDS", 0.1)


def kill(process: Process) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)


@pytest.mark.usefixtures("quick_restarts")
def test_a_killed_service_starts_again_and_it_is_said(script: Script) -> None:
    said: list[str] = []
    api = script("api", STAYS)
    redis = script("redis", STAYS)
    with Supervisor([redis, api], said.append):
        first = api.pid
        kill(api)
        assert eventually(lambda: script.starts("api") == 2)
        assert api.ended_with == "is running"
        assert api.pid != first
        assert script.starts("redis") == 1
        assert eventually(lambda: len(said) == 2)
    assert said[0] == "api was ended by SIGKILL; it starts again in 0.05 s"
    assert re.fullmatch(r"api is back after \d\.\d s", said[1])
    assert not api.running
    assert not redis.running


@pytest.mark.usefixtures("quick_restarts")
def test_one_that_keeps_dying_waits_longer_each_time_and_is_not_said_for_ever(script: Script) -> None:
    said: list[str] = []
    falls = script("beat", NOTES + "sys.exit(4)")
    with Supervisor([script("redis", STAYS), falls], said.append):
        assert eventually(lambda: script.starts("beat") >= 6)
    deaths = [line for line in said if not line.startswith("beat is back after ")]
    assert len(said) - len(deaths) <= 1
    assert deaths == [
        "beat ended with exit code 4; it starts again in 0.05 s",
        "beat ended with exit code 4, 2 times in a row; it starts again in 0.1 s",
        "beat ended with exit code 4 again and again; it starts every 0.2 s from now on",
    ]


@pytest.mark.usefixtures("quick_restarts")
def test_another_way_of_dying_is_said_again(script: Script) -> None:
    said: list[str] = []
    falls = script("beat", NOTES + "sys.exit(4 if len(note.read_text().splitlines()) < 5 else 5)")
    with Supervisor([script("redis", STAYS), falls], said.append):
        assert eventually(lambda: bool(said) and "exit code 5" in said[-1])
    assert said[-1] == "beat ended with exit code 5 again and again; it starts every 0.2 s from now on"


@pytest.mark.usefixtures("quick_restarts")
def test_one_that_kept_dying_is_back_once_it_stays(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "STABLE_AFTER_SECONDS", 1.0)
    said: list[str] = []
    mends = script("beat", NOTES + "len(note.read_text().splitlines()) < 5 and sys.exit(4)\ntime.sleep(60)")
    with Supervisor([script("redis", STAYS), mends], said.append):
        assert eventually(lambda: said[-1:] == ["beat is back and stays"])
    assert "again and again" in said[-2]


@pytest.mark.usefixtures("quick_restarts")
def test_a_watched_service_that_gives_no_answer_starts_again() -> None:
    said: list[str] = []
    services = [Recorded(name, []) for name in ("redis", "worker", "api")]
    _, worker, api = services
    api.watched = True
    with Supervisor(services, said.append):
        api.silent = worker.silent = True
        assert eventually(lambda: len(said) >= 2)
        api.silent = False
        assert eventually(lambda: "is back" in said[-1])
    assert said[:2] == [
        "api lives and has given no answer for 0 s; it is stopped",
        "api ended; it starts again in 0.05 s",
    ]
    assert not [line for line in said if line.startswith("worker")]


@pytest.mark.usefixtures("quick_restarts")
def test_a_process_that_was_halted_starts_again(script: Script) -> None:
    said: list[str] = []
    api = script("api", STAYS)
    api.watched = True
    with Supervisor([script("redis", STAYS), api], said.append):
        assert api.pid is not None
        halted = api.pid
        os.kill(halted, signal.SIGSTOP)
        api.is_ready = lambda: api.pid != halted
        assert eventually(lambda: script.starts("api") == 2)
    assert said[1].startswith("api was ended by SIGKILL")


@pytest.mark.usefixtures("quick_restarts")
def test_logs_are_looked_at_now_and_then() -> None:
    services = [Recorded(name, []) for name in ("redis", "api")]
    with Supervisor(services):
        assert eventually(lambda: all(service.cuts >= 3 for service in services))


@pytest.mark.usefixtures("quick_restarts")
def test_one_that_lived_long_enough_starts_again_at_once(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "STABLE_AFTER_SECONDS", 0.0)
    said: list[str] = []
    api = script("api", STAYS)
    with Supervisor([script("redis", STAYS), api], said.append):
        for starts in (2, 3):
            kill(api)
            assert eventually(lambda starts=starts: script.starts("api") == starts)  # type: ignore[misc]
    deaths = [line for line in said if "SIGKILL" in line]
    assert deaths == ["api was ended by SIGKILL; it starts again in 0.05 s"] * 2


@pytest.mark.usefixtures("quick_restarts")
def test_a_restart_that_fails_is_said_once_and_tried_again() -> None:
    calls: list[str] = []
    said: list[str] = []

    class Reluctant(Recorded):
        refusals = 0

        def launch(self) -> None:
            if calls and self.refusals < 2:
                self.refusals += 1
                raise ServiceError("no room on the shelf")
            super().launch()

    redis, reluctant = Recorded("redis", []), Reluctant("api", calls)
    with Supervisor([redis, reluctant], said.append):
        reluctant.running = False
        assert eventually(lambda: reluctant.running)
    assert said[:2] == [
        "api ended; it starts again in 0.05 s",
        "api could not be started again: no room on the shelf",
    ]
