"""Where this machine's services are reached."""

from topshelf.settings import Settings

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- compared, not bound


def api_url(settings: Settings) -> str:
    """Where the reader is reached from this machine."""
    return f"http://{ANY_ADDRESS.get(settings.api_host, settings.api_host)}:{settings.api_port}"


def flower_url(settings: Settings) -> str:
    """Where Flower is reached from this machine."""
    return f"http://{ANY_ADDRESS.get(settings.flower_host, settings.flower_host)}:{settings.flower_port}"


def metrics_url(settings: Settings, port: int) -> str:
    """Where the metrics of the worker or of the exporter are read from this machine."""
    return f"http://{ANY_ADDRESS.get(settings.metrics_host, settings.metrics_host)}:{port}/metrics"
