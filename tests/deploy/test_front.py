"""The front of the readers: who gets which request, found by name, with HAProxy itself."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from store.embedded import free_port
from tests.deploy.composed import ROOT, services
from tests.deploy.conftest import Launch
from tests.deploy.containerless import Containerless
from tests.deploy.stand_ins import NamedServer, NameServer

HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
TIMEOUT_SECONDS = 20

pytestmark = [
    pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed"),
    pytest.mark.skipif(
        shutil.which("wget") is None, reason="wget, which the health check calls, is not here"
    ),
]


class Front:
    """A running front with readers one and two behind it, and a control API."""

    def __init__(self, stack: ExitStack, launch: Launch) -> None:
        port = free_port()
        self.readers = {
            name: stack.enter_context(closing(NamedServer(name, address, port)))
            for name, address in (("one", "127.0.0.2"), ("two", "127.0.0.3"))
        }
        stack.enter_context(closing(NamedServer("control", "127.0.0.4", port)))
        self.names = {"reader": ["127.0.0.2", "127.0.0.3"], "api": ["127.0.0.4"]}
        server = stack.enter_context(closing(NameServer(self.names)))
        server.start()
        self.service = launch(
            "front",
            {
                "parse-resolv-conf": f"nameserver stand-in 127.0.0.1:{server.port}",
                "bind :": "bind 127.0.0.1:",
                "reader:8000": f"reader:{port}",
                "api:8000": f"api:{port}",
            },
            {"PATH": f"{os.environ['PATH']}:/usr/sbin"},
        )

    def answers(self, path: str) -> str:
        """The name of the server that answers."""
        url = f"http://127.0.0.1:{self.service.ports[8080]}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(json.load(answer)["name"])

    def who_answers(self, path: str, times: int = 12) -> set[str]:
        """The names of the servers that answer ``times`` requests, a connection each."""
        return {self.answers(path) for _ in range(times)}


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def front(launch: Launch) -> Iterator[Front]:
    with ExitStack() as stack:
        front = Front(stack, launch)
        front.service.wait_until_healthy()
        yield front


def test_haproxy_accepts_the_configuration() -> None:
    assert HAPROXY is not None
    checked = subprocess.run(
        [HAPROXY, "-c", "-f", ROOT / "deploy/haproxy/haproxy.cfg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "warning" not in checked.stderr.lower()


def test_every_reader_answers_and_jobs_go_to_the_control_api(front: Front) -> None:
    until(lambda: front.who_answers("/reco/als/1") == {"one", "two"})
    assert front.who_answers("/jobs") == front.who_answers("/jobs/7") == {"control"}
    assert "control" not in front.who_answers("/jobsheet")
    assert front.service.stop() == 0


def test_a_reader_that_is_not_ready_gets_nothing_and_one_that_is_gone_neither(front: Front) -> None:
    until(lambda: front.who_answers("/reco/als/1") == {"one", "two"})
    front.readers["one"].ready = False
    until(lambda: front.who_answers("/reco/als/1") == {"two"})
    front.readers["one"].ready = True
    until(lambda: front.who_answers("/reco/als/1") == {"one", "two"})
    front.names["reader"].remove("127.0.0.3")
    until(lambda: front.who_answers("/reco/als/1") == {"one"})


def test_while_no_reader_is_ready_all_of_them_answer(front: Front) -> None:
    for reader in front.readers.values():
        reader.ready = False
    until(lambda: front.who_answers("/reco/als/1") == {"one", "two"})


def test_the_figures_of_one_reader_are_not_taken_for_those_of_all(front: Front) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        front.answers("/metrics")
    assert refused.value.code == 404
    refused.value.close()


def test_a_front_without_readers_is_not_healthy(tmp_path: Path, secrets_folder: Path) -> None:
    absent = Containerless("front", services()["front"], tmp_path / "front", secrets_folder, {})
    assert absent.check_health().returncode != 0


def test_the_front_is_asked_to_stop_as_haproxy_wants_it() -> None:
    assert services()["front"]["stop_signal"] == signal.SIGUSR1.name
