"""``python -m topshelf``."""

from topshelf.cli import main

main()
