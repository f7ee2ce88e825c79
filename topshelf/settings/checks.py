"""What one service asks of the settings before it starts, beside what every one does."""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topshelf.errors import SettingsError
from topshelf.settings.environment import variable_of

if TYPE_CHECKING:
    from topshelf.settings.model import Settings

Check = Callable[["Settings"], object]
"""Raises SettingsError with a line for each fault it finds."""


def faults_of(settings: "Settings", checks: Sequence[Check]) -> list[str]:
    """A line for every fault that the checks find."""
    found: list[str] = []
    for check in checks:
        try:
            check(settings)
        except SettingsError as error:
            found += [line.strip() for line in str(error).splitlines()]
    return list(dict.fromkeys(found))


def flower_has_a_password(settings: "Settings") -> None:
    """Flower is not to be entered by anybody.

    Raises:
        SettingsError: there is no password.
    """
    if not settings.flower_password.get_secret_value():
        raise SettingsError("TOPSHELF_FLOWER_PASSWORD: Flower is not started without a password; set one")


def data_can_be_kept(settings: "Settings") -> None:
    """The data folder is there or can be made, and written to.

    Raises:
        SettingsError: says which folder is in the way.
    """
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise SettingsError(f"TOPSHELF_DATA_DIR: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsError(f"TOPSHELF_DATA_DIR: {folder} cannot be written to by this user")


def files_can_be_read(settings: "Settings") -> None:
    """Every file that a setting names can be read.

    Raises:
        SettingsError: names those that cannot.
    """
    faults = []
    for name in type(settings).model_fields:
        path = getattr(settings, name)
        if isinstance(path, Path) and name.endswith("_file"):
            try:
                path.read_bytes()
            except OSError as error:
                faults.append(f"{variable_of(name)}: {path} cannot be read: {error.strerror}")
    if faults:
        raise SettingsError("\n".join(faults))


def ports_are_apart(settings: "Settings") -> None:
    """No two services of one machine are to listen on one port.

    Raises:
        SettingsError: names the settings that share one.
    """
    names = [
        name for name in type(settings).model_fields if name.endswith("_port") and getattr(settings, name)
    ]
    users = defaultdict(list)
    for name in names:
        if name != "redis_port" or settings.embedded_redis:
            users[getattr(settings, name)].append(variable_of(name))
    faults = [
        f"{' and '.join(sharing)} are both {port}" for port, sharing in users.items() if len(sharing) > 1
    ]
    if faults:
        raise SettingsError("\n".join(faults))
