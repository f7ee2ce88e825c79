import socket
from collections.abc import Iterator

import pytest

from store.embedded import free_port
from topshelf.errors import ServiceError
from topshelf.local.ports import on_free_ports, require_free_ports
from topshelf.settings import Settings


@pytest.fixture
def settings() -> Settings:
    """Settings on ports that nobody uses."""
    return Settings(
        api_port=free_port(),
        flower_port=free_port(),
        redis_port=free_port(),
        seed=4,
        exporter_port=free_port(),
        metrics_port=free_port(),
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        yield occupant.getsockname()[1]


def test_free_ports_are_left_alone(settings: Settings) -> None:
    said: list[str] = []
    assert on_free_ports(settings, said.append) is settings
    assert said == []


@pytest.mark.parametrize(
    ("field", "service"),
    [
        ("api_port", "the reader"),
        ("flower_port", "Flower"),
        ("exporter_port", "the exporter"),
        ("metrics_port", "the worker's metrics"),
    ],
)
def test_a_taken_port_is_replaced_and_it_is_said(
    settings: Settings, taken_port: int, field: str, service: str
) -> None:
    said: list[str] = []
    moved = on_free_ports(settings.model_copy(update={field: taken_port}), said.append)
    port = getattr(moved, field)
    assert port != taken_port
    assert said == [f"port {taken_port} is taken, {service} uses {port}"]
    assert moved.model_copy(update={field: None}) == settings.model_copy(update={field: None})


def test_a_port_taken_on_every_address_counts(settings: Settings) -> None:
    with socket.socket() as occupant:
        occupant.bind(("0.0.0.0", 0))  # noqa: S104 -- that is the case tested
        occupant.listen()
        port = occupant.getsockname()[1]
        assert on_free_ports(settings.model_copy(update={"api_port": port}), print).api_port != port


def test_the_urls_follow_the_embedded_redis(taken_port: int) -> None:
    said: list[str] = []
    settings = Settings(
        api_port=free_port(),
        flower_port=free_port(),
        redis_port=taken_port,
        exporter_port=free_port(),
        metrics_port=free_port(),
    )
    moved = on_free_ports(settings, said.append)
    assert moved.redis_port != taken_port
    assert moved.embedded_redis
    assert str(moved.redis_port) in moved.durable_url.get_secret_value()
    assert len(said) == 1


def test_the_port_of_an_embedded_redis_that_is_not_used_does_not_matter(taken_port: int) -> None:
    settings = Settings.from_environment(
        {"TOPSHELF_SERVING_URL": "redis://elsewhere:6379/0"},
        api_port=free_port(),
        flower_port=free_port(),
        redis_port=taken_port,
        exporter_port=free_port(),
        metrics_port=free_port(),
    )
    assert on_free_ports(settings, print) is settings


def test_a_system_does_not_start_on_taken_ports(settings: Settings, taken_port: int) -> None:
    require_free_ports(settings)
    with pytest.raises(ServiceError, match=f"port {taken_port} is taken.*Flower.*TOPSHELF_FLOWER_PORT"):
        require_free_ports(settings.model_copy(update={"flower_port": taken_port}))
