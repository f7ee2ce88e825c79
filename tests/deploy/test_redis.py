"""Both Redis of the compose file: what they are told, and what of it can be seen from outside."""

import re
from pathlib import Path

import pytest
import redis

from store.connection import check_serving_server, connect
from tests.deploy.composed import services
from tests.deploy.conftest import ROLES
from tests.deploy.containerless import Containerless

EVERY_ROLE = pytest.mark.parametrize("role", ROLES)


def password_of(role: str, secrets_folder: Path) -> str:
    return (secrets_folder / f"redis_{role}_password").read_text()


def url_of(server: Containerless, password: str = "") -> str:
    return f"redis://:{password}@127.0.0.1:{server.ports[6379]}/0"


@EVERY_ROLE
def test_a_redis_keeps_a_log_evicts_nothing_and_stops_at_its_limit(
    composed_redis: dict[str, Containerless], secrets_folder: Path, role: str
) -> None:
    with connect(url_of(composed_redis[role], password_of(role, secrets_folder))) as client:
        check_serving_server(client)
        told = client.config_get("*")
    limit = {"serving": 1024**3, "durable": 512 * 1024**2}[role]
    assert told["maxmemory"] == str(limit)
    assert told["maxmemory-policy"] == "noeviction"
    assert (told["appendonly"], told["appendfsync"], told["save"]) == ("yes", "everysec", "")


@EVERY_ROLE
def test_a_redis_wants_its_password_which_no_process_list_shows(
    composed_redis: dict[str, Containerless], secrets_folder: Path, role: str
) -> None:
    server = composed_redis[role]
    without = redis.Redis.from_url(url_of(server).replace(":@", ""))
    with without as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    password = password_of(role, secrets_folder)
    assert not [word for word in server.arguments() if password in word]
    assert password not in server.said()


def test_each_redis_has_a_password_of_its_own(
    composed_redis: dict[str, Containerless], secrets_folder: Path
) -> None:
    url = url_of(composed_redis["serving"], password_of("durable", secrets_folder))
    with connect(url) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


@EVERY_ROLE
def test_a_redis_is_unhealthy_where_nobody_answers(
    composed_redis: dict[str, Containerless], secrets_folder: Path, tmp_path: Path, role: str
) -> None:
    name = f"redis-{role}"
    absent = Containerless(name, services()[name], tmp_path / "absent", secrets_folder, {})
    assert absent.check_health().returncode != 0
    assert composed_redis[role].check_health().returncode == 0


@EVERY_ROLE
def test_a_redis_comes_back_with_what_it_held(
    secrets_folder: Path, redis_path: dict[str, str], tmp_path: Path, role: str
) -> None:
    replaced = {"bind * -::*": "bind 127.0.0.1"}
    name = f"redis-{role}"
    server = Containerless(name, services()[name], tmp_path / "one", secrets_folder, replaced, redis_path)
    url = url_of(server, password_of(role, secrets_folder))
    try:
        for expected in (None, b"7"):
            server.start(behind=[])
            server.wait_until_healthy()
            with connect(url) as client:
                assert client.get("fence") == expected
                client.set("fence", 7)
            assert server.stop() == 0
    finally:
        server.end()


@EVERY_ROLE
def test_a_redis_without_a_password_is_not_started(secrets_folder: Path, tmp_path: Path, role: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / f"redis_{role}_password").write_text("")
    name = f"redis-{role}"
    server = Containerless(name, services()[name], tmp_path / "one", tmp_path / "secrets", {})
    server.start(behind=[])
    with pytest.raises(AssertionError, match=f"redis_{role}_password is empty"):
        server.wait_until_healthy()


@EVERY_ROLE
def test_the_container_has_room_for_the_log_to_be_written_anew(role: str) -> None:
    service = services()[f"redis-{role}"]
    assert _bytes(service["mem_limit"]) >= 2 * _bytes(service["environment"]["REDIS_MAXMEMORY"])


def _bytes(size: str) -> int:
    [(number, unit)] = re.findall(r"^(\d+)([mg])b?$", size)
    return int(number) * {"m": 1024**2, "g": 1024**3}[unit]
