"""Settings: read once from the environment at an entry point, frozen from then on.

Every variable is the field's name in capitals behind ``TOPSHELF_``; lists are separated by commas. A secret
may stand in a file instead, named by the same variable with ``_FILE`` behind it.
"""

from topshelf.settings.environment import EXEMPT_PREFIX, PREFIX, process_environment
from topshelf.settings.model import Settings, embedded_url
from topshelf.settings.page import settings_page

__all__ = ["EXEMPT_PREFIX", "PREFIX", "Settings", "embedded_url", "process_environment", "settings_page"]
