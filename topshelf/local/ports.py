"""Free ports for the demo, which should start on any machine."""

import socket
from collections.abc import Callable

from store.embedded import free_port
from topshelf.errors import ServiceError
from topshelf.settings import Settings, embedded_url

PORTS = {
    "api_port": "the reader",
    "flower_port": "Flower",
    "exporter_port": "the exporter",
    "metrics_port": "the worker's metrics",
    "redis_port": "Redis",
}
WORKER_METRICS_PORT = 9541


def with_metrics_port(settings: Settings) -> Settings:
    """The settings with a port for the worker's metrics, where they have none."""
    if settings.metrics_port:
        return settings
    return settings.model_copy(update={"metrics_port": WORKER_METRICS_PORT})


def on_free_ports(settings: Settings, say: Callable[[str], None]) -> Settings:
    """The settings with a free port in place of each one that is taken; says which were moved."""
    settings = with_metrics_port(settings)
    moved: dict[str, int] = {}
    for name, service in PORTS.items():
        port = getattr(settings, name)
        if name == "redis_port" and not settings.embedded_redis:
            continue
        if _is_taken(port):
            moved[name] = free_port()
            say(f"port {port} is taken, {service} uses {moved[name]}")
    if not moved:
        return settings
    fields = settings.model_dump() | moved
    if "redis_port" in moved:
        fields |= {
            "serving_url": embedded_url(moved["redis_port"]),
            "durable_url": embedded_url(moved["redis_port"]),
        }
    return Settings(**fields)


def require_free_ports(settings: Settings) -> None:
    """Refuse to start where a port of a service other than Redis is taken.

    Raises:
        ServiceError: names the ports and the settings that move them.
    """
    taken = [name for name in PORTS if name != "redis_port" and _is_taken(getattr(settings, name))]
    if taken:
        faults = [
            f"port {getattr(settings, name)} is taken; stop what uses it, or give {PORTS[name]} another one "
            f"with TOPSHELF_{name.upper()}"
            for name in taken
        ]
        raise ServiceError("\n".join(faults))


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
