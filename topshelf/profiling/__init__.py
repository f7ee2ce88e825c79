"""Profiles of start-ups and of tasks: taken by pyinstrument, kept as files."""
