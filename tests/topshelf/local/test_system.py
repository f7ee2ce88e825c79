from pathlib import Path

import pytest

from store.embedded import free_port
from topshelf.errors import ServiceError
from topshelf.local import system
from topshelf.local.credentials import with_credentials
from topshelf.local.services import ExternalRedis, RedisService
from topshelf.local.supervisor import Service
from topshelf.local.system import LocalSystem, local_system
from topshelf.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        api_port=free_port(),
        flower_port=free_port(),
        redis_port=free_port(),
        exporter_port=free_port(),
        metrics_port=free_port(),
    )


@pytest.fixture
def redis_alone(monkeypatch: pytest.MonkeyPatch) -> list[RedisService]:
    """Starts no other service than Redis; holds the ones that were."""
    used: list[RedisService] = []

    def services(settings: Settings, redis: RedisService) -> list[Service]:
        used.append(redis)
        return [redis]

    monkeypatch.setattr(system, "local_services", services)
    return used


def test_the_addresses_come_with_a_call_to_paste(settings: Settings) -> None:
    filled, credentials = with_credentials(settings)
    shown = LocalSystem(filled, credentials).addresses(with_secrets=True)
    assert f"http://127.0.0.1:{settings.api_port}/docs" in shown
    assert f"http://127.0.0.1:{settings.flower_port}" in shown
    for port in (settings.exporter_port, settings.metrics_port):
        assert f"http://127.0.0.1:{port}/metrics" in shown
    assert credentials.flower in shown
    call = shown.splitlines()[-1]
    assert call.startswith("curl ")
    assert f'"Authorization: Bearer {credentials.read}"' in call
    assert credentials.admin not in shown


def test_a_log_gets_the_addresses_without_a_secret(settings: Settings) -> None:
    filled, credentials = with_credentials(settings)
    shown = LocalSystem(filled, credentials).addresses()
    assert "$TOKEN" in shown
    assert not [secret for secret in (credentials.read, credentials.flower) if secret in shown]


def test_an_address_that_means_every_interface_is_reached_on_this_machine(settings: Settings) -> None:
    everywhere = settings.model_copy(update={"api_host": "0.0.0.0", "flower_host": "::"})  # noqa: S104
    shown = LocalSystem(everywhere, with_credentials(settings)[1]).addresses()
    assert f"http://127.0.0.1:{settings.api_port}/docs" in shown
    assert f"http://[::1]:{settings.flower_port} " in shown


def test_a_redis_of_its_own_runs_around_the_block(
    settings: Settings, redis_alone: list[RedisService]
) -> None:
    with local_system(settings, print) as running:
        [redis] = redis_alone
        states = [redis.running]
        assert running.settings.tokens_read
    assert [*states, redis.running] == [True, False]


def test_a_redis_that_is_named_is_used_instead(
    settings: Settings, redis_url: str, redis_alone: list[RedisService]
) -> None:
    named = settings.to_environment() | {
        "TOPSHELF_SERVING_URL": redis_url,
        "TOPSHELF_DURABLE_URL": redis_url,
    }
    with local_system(Settings.from_environment(named), print):
        assert isinstance(redis_alone[0], ExternalRedis)
    assert not (settings.data_dir / "redis").exists()


@pytest.mark.usefixtures("redis_alone")
def test_one_folder_runs_one_system_at_a_time(settings: Settings) -> None:
    with (
        local_system(settings, print),
        pytest.raises(ServiceError, match="another `topshelf up` or `demo` runs in"),
        local_system(settings, print),
    ):
        pass
    with local_system(settings, print):
        """The lock is free again."""
