"""Which code a model was trained by."""

import importlib.metadata
import subprocess
from functools import cache
from pathlib import Path


@cache
def code_version() -> str:
    """The package's version, with the commit behind it where the code runs from a checkout of its own."""
    version = importlib.metadata.version("topshelf")
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return version
    try:
        described = subprocess.run(  # noqa: S603 -- argv is ours
            ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"],  # noqa: S607 -- git from PATH
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}+{described.stdout.strip()}"
