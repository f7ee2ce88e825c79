"""The ``topshelf`` command."""

from topshelf.cli.main import main

__all__ = ["main"]
