"""The ``topshelf`` command."""

from topshelf.cli.application import main

__all__ = ["main"]
