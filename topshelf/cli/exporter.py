"""The command that runs the exporter."""

import logging

from topshelf.cli.application import app
from topshelf.settings import Settings

log = logging.getLogger(__name__)


@app.command(rich_help_panel="Services")
def exporter() -> None:
    """Answer /metrics for the whole system: queues, jobs, generations, churn, both Redis, the scheduler."""
    from topshelf.cli.services import interruptible, wait_for_interrupt
    from topshelf.exporter.server import exporter as serving
    from topshelf.logs import configure

    settings = Settings.from_environment()
    configure(settings, "exporter")
    with interruptible(), serving(settings):
        log.info("metrics are at http://%s:%d/metrics", settings.metrics_host, settings.exporter_port)
        wait_for_interrupt()
