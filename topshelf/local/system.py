"""The whole system on one machine, for ``topshelf up`` and the demo."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.server import INSTALLATION_CHECKS as READER_CHECKS
from store.embedded import EmbeddedRedis
from topshelf.errors import ServiceError
from topshelf.local.addresses import api_url, flower_url, metrics_url
from topshelf.local.credentials import Credentials, with_credentials
from topshelf.local.ports import require_free_ports, with_metrics_port
from topshelf.local.services import ExternalRedis, RedisService, local_services
from topshelf.local.supervisor import Supervisor
from topshelf.settings import Settings
from topshelf.settings.checks import ports_are_apart
from workers.checks import WORKER_CHECKS

CHECKS = (*READER_CHECKS, *WORKER_CHECKS, ports_are_apart)
"""What is asked of the settings of all services; tokens and passwords are made up where there are none."""


@dataclass(frozen=True)
class LocalSystem:
    """A running system: the settings its services use, and what it is entered with."""

    settings: Settings
    credentials: Credentials

    def addresses(self, *, with_secrets: bool = False) -> str:
        """Where everything is, with a call to paste; the secrets in it are for terminals, not for logs."""
        api, flower = api_url(self.settings), flower_url(self.settings)
        password, token = "as set, or in credentials.json", "$TOKEN"
        if with_secrets:
            password, token = self.credentials.flower, self.credentials.read
        return (
            f"reader   {api}/docs\n"
            f"Flower   {flower}  (user {self.settings.flower_user}, password {password})\n"
            f"metrics  {metrics_url(self.settings, self.settings.exporter_port)}  (of the system)\n"
            f"         {metrics_url(self.settings, self.settings.metrics_port)}  (of the worker)\n"
            f"         {api}/metrics  (of the reader)\n"
            f"logs     {self.settings.data_dir / 'logs'}\n"
            f"tokens   {self.settings.data_dir / 'credentials.json'}\n\n"
            f'curl -i -H "Authorization: Bearer {token}" {api}/reco/als/1'
        )


@contextmanager
def local_system(settings: Settings, say: Callable[[str], None]) -> Iterator[LocalSystem]:
    """Run the system around a block.

    Raises:
        ServiceError: another system runs in this data folder, or a service does not start; names its log.
    """
    settings, credentials = with_credentials(with_metrics_port(settings))
    with _only_one(settings.data_dir):
        require_free_ports(settings)
        redis: RedisService
        if settings.embedded_redis:
            redis = RedisService(EmbeddedRedis(settings.data_dir / "redis", settings.redis_port))
        else:
            redis = ExternalRedis(
                settings.serving_url.get_secret_value(), settings.durable_url.get_secret_value()
            )
        with Supervisor(local_services(settings, redis), say):
            yield LocalSystem(settings, credentials)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "system.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ServiceError(f"another `topshelf up` or `demo` runs in {folder}; stop it first") from error
        yield
