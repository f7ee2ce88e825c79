"""The exporter as a service."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from topshelf.errors import ServiceError
from topshelf.exporter.collector import SystemFigures
from topshelf.settings import Settings


@contextmanager
def exporter(settings: Settings) -> Iterator[None]:
    """Answer ``/metrics`` from a thread while the block runs.

    Raises:
        ServiceError: the port is taken.
    """
    figures = SystemFigures(settings)
    registry = CollectorRegistry()
    registry.register(figures)
    host, port = settings.metrics_host, settings.exporter_port
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise ServiceError(
            f"the exporter cannot listen on {host}:{port} ({error.strerror}); "
            "TOPSHELF_METRICS_HOST and TOPSHELF_EXPORTER_PORT name another address"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        figures.close()
