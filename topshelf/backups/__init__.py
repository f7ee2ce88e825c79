"""Backups: one file that holds what cannot be made again."""
