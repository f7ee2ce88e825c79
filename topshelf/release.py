"""Which release of Topshelf this is."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """The version that is installed; ``0`` where the code runs without being installed."""
    try:
        return version("topshelf")
    except PackageNotFoundError:
        return "0"
