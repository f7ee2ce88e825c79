from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.canaries import CanarySystem, canary_system


@pytest.fixture(scope="session")
def canaries(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> Iterator[CanarySystem]:
    """A running system with a canary in every secret, and MovieLens-100K ingested."""
    with canary_system(tmp_path_factory.mktemp("canaries")) as system:
        system.run("ingest", str(test_data / "ml-100k"), "--preset", "movielens-100k")
        yield system
