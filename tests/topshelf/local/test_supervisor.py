import threading

import pytest

from tests.topshelf.local.watched import DIES, STAYS, STUBBORN, Recorded, Script
from topshelf.errors import ServiceError
from topshelf.local.supervisor import Supervisor


def test_the_first_service_is_ready_before_the_others_start_and_stops_last() -> None:
    calls: list[str] = []
    services = [Recorded(name, calls) for name in ("redis", "worker", "api")]
    with Supervisor(services):
        assert calls == [
            "launch redis",
            "wait redis",
            "launch worker",
            "launch api",
            "wait worker",
            "wait api",
        ]
        calls.clear()
    assert calls == ["ask worker", "ask api", "stop api", "stop worker", "stop redis"]


def test_a_start_that_is_interrupted_leaves_nothing_running() -> None:
    services = [Recorded(name, []) for name in ("redis", "worker", "api")]
    services[1].interrupted = True
    with pytest.raises(KeyboardInterrupt):
        Supervisor(services).start()
    assert not any(service.running for service in services)


def test_a_service_that_does_not_start_names_its_log_and_the_others_are_stopped(script: Script) -> None:
    stays = script("redis", STAYS)
    with pytest.raises(ServiceError, match="the shelf fell down") as caught:
        Supervisor([stays, script("worker", DIES)]).start()
    assert str(script.folder / "worker.log") in str(caught.value)
    assert "worker ended with exit code 4" in str(caught.value)
    assert not stays.running


def test_stubborn_services_are_killed(script: Script) -> None:
    services = [script(name, STUBBORN) for name in ("redis", "worker", "api")]
    supervisor = Supervisor(services)
    supervisor.start()
    supervisor.stop()
    supervisor.stop()
    assert {service.ended_with for service in services} == {"was ended by SIGKILL"}


def test_nothing_starts_again_after_the_stop(script: Script) -> None:
    api = script("api", STAYS)
    with Supervisor([script("redis", STAYS), api]):
        pass
    assert script.starts("api") == 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("supervisor")]
