from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.topshelf.local.watched import Script


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    made = Script(tmp_path)
    yield made
    for process in made.made:
        process.stop()
