"""``python -m api``: the reader alone, ready in half a second.

The same as ``topshelf api`` without the command's libraries. Meant for images and supervisors.
"""

import gc

# The imports make a hundred thousand objects and no garbage; the application turns it on again.
gc.disable()

import sys  # noqa: E402

from api.server import CHECKS, run  # noqa: E402
from topshelf.errors import SettingsError, TopshelfError  # noqa: E402
from topshelf.settings import Settings  # noqa: E402


def main() -> None:
    """Serve until a signal comes; exit with 2 for unusable settings, 7 where the reader does not start."""
    try:
        run(Settings.from_environment(checks=CHECKS))
    except TopshelfError as error:
        sys.stderr.write(f"error {error.key}\n{error}\n")
        sys.exit(2 if isinstance(error, SettingsError) else 7)


if __name__ == "__main__":
    main()
