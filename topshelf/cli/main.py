"""The entry point: every command there is, under one name."""

import logging
import sys

from topshelf.cli.application import app


def main() -> None:
    """Run the command."""
    # Each module registers its commands; their libraries are imported when a command runs.
    from topshelf.cli import (  # noqa: F401
        backups,
        bot,
        data,
        demo,
        exporter,
        jobs,
        metrics,
        nights,
        plan,
        profile,
        reports,
        runs,
        services,
        shelves,
        tune,
    )

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    app()
