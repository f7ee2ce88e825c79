"""Real data sets, where somebody has them."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder TOPSHELF_TEST_DATA names (ml-100k/, gowalla/, …); skips where it is unset."""
    folder = os.environ.get("TOPSHELF_TEST_DATA")
    if not folder:
        pytest.skip("TOPSHELF_TEST_DATA names no folder with real data sets")
    return Path(folder)
