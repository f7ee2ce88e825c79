import sysconfig
from pathlib import Path

import pydantic
import pytest

from topshelf.profiling.phases import (
    IMPORTS,
    READER,
    STANDARD_LIBRARY,
    WORKER,
    Plan,
    Record,
    package_of,
    phases_of,
)

IMPORT = "_find_and_load\x00<frozen importlib._bootstrap>\x001165"
PYDANTIC = f"<module>\x00{pydantic.__file__}\x001"
SERVE = "run\x00/srv/topshelf/api/server.py\x001"
CREATE = "create_app\x00/srv/topshelf/api/app.py\x001\x01l5"
CATALOGUE = "_load_assortment\x00/srv/topshelf/api/loading.py\x001"
READ = "read_response\x00/srv/lib/redis/connection.py\x001"
IDLE = "run\x00/usr/lib/python3.11/asyncio/runners.py\x001"


def seconds_of(records: list[Record], listening_after_seconds: float = 0.0) -> dict[str, float]:
    found = phases_of(records, READER, listening_after_seconds)
    return {phase.name: phase.seconds for phase in found if phase.seconds}


@pytest.mark.parametrize(
    ("stack", "phase"),
    [
        ([SERVE], "server and first answer"),
        ([SERVE, CREATE], "application"),
        ([IMPORT, PYDANTIC], IMPORTS),
        ([SERVE, CREATE, IMPORT, PYDANTIC], IMPORTS),
        ([IMPORT, PYDANTIC, CREATE], "application"),
        ([SERVE, CATALOGUE], "catalogue"),
        ([SERVE, CATALOGUE, READ], "catalogue"),
        ([SERVE, READ], "opening Redis"),
    ],
)
def test_a_sample_counts_to_the_phase_whose_function_it_was_taken_in(stack: list[str], phase: str) -> None:
    assert seconds_of([(stack, 0.5), (stack, 0.25)]) == {phase: 0.75}


def test_waiting_is_for_redis_until_the_reader_listens() -> None:
    records: list[Record] = [([SERVE, IDLE], 1.0), ([SERVE, CREATE], 1.0), ([SERVE, IDLE], 4.0)]
    assert seconds_of(records, 1.5) == {
        "opening Redis": 1.0,
        "application": 1.0,
        "server and first answer": 4.0,
    }


def test_imports_are_told_by_the_package_whose_module_runs() -> None:
    [imports, *_] = phases_of([([IMPORT], 1.0), ([IMPORT, PYDANTIC, IMPORT], 2.0)], READER, 0.0)
    assert imports.parts == {"finding modules": 1.0, "pydantic": 2.0}


def test_a_package_is_named_for_its_folder() -> None:
    assert package_of(pydantic.__file__) == "pydantic"
    assert package_of(f"{sysconfig.get_paths()['stdlib']}/json/decoder.py") == STANDARD_LIBRARY
    assert package_of(f"{sysconfig.get_paths()['purelib']}/typing_extensions.py") == "typing_extensions"


@pytest.mark.parametrize("plan", [READER, WORKER])
def test_every_mark_of_ours_names_a_function_that_is_there(plan: Plan) -> None:
    root = Path(__file__).parents[3]
    for mark in plan.marks:
        assert mark.phase in plan.phases
        if mark.file.endswith(".py"):
            text = (root / mark.file).read_text()
            assert not mark.function or f"def {mark.function}(" in text
