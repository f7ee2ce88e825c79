"""The root of the tree, and what belongs to no part of the system."""


class TopshelfError(Exception):
    """Root of the tree; the message says what went wrong and what to do."""

    key = "topshelf_error"


class SettingsError(TopshelfError):
    """Raised when settings are unusable; the message lists every fault at once."""

    key = "settings_invalid"


class DeliberateFault(TopshelfError):
    """Raised for users whose id is a multiple of 666 while ``TOPSHELF_FAULT_USERS`` is on."""

    key = "deliberate_fault"

    def __init__(self, user: int | str) -> None:
        super().__init__("a deliberate fault: TOPSHELF_FAULT_USERS is on")
        self.user = user
