"""The fault switch: users whose id is a multiple of 666 fail, so that anyone can watch a report arrive."""

import logging

from topshelf.errors import DeliberateFault
from topshelf.settings import Settings

MULTIPLE = 666

logger = logging.getLogger(__name__)


def warn_of_faults(settings: Settings) -> None:
    """Say in the log that the switch is on."""
    if settings.fault_users:
        logger.warning(
            "TOPSHELF_FAULT_USERS IS ON: every user whose id is a multiple of %d gets a deliberate error",
            MULTIPLE,
        )


def has_fault(user: int | str) -> bool:
    """Whether the switch would fail a user; a string counts where it is a whole number."""
    if isinstance(user, str):
        if not (user.isascii() and user.removeprefix("-").isdigit()):
            return False
        user = int(user)
    return user % MULTIPLE == 0


def check_faults(settings: Settings, *users: int | str) -> None:
    """Fail where the switch is on, and one of ``users`` is to fail.

    Raises:
        DeliberateFault: for the first of them.
    """
    if settings.fault_users:
        for user in users:
            if has_fault(user):
                raise DeliberateFault(user)
