import inspect
import re

import pytest

from topshelf import errors
from topshelf.errors import ReaderRefused, RequestError, TopshelfError

CLASSES = [
    thing
    for _, thing in inspect.getmembers(errors, inspect.isclass)
    if thing.__module__.startswith(errors.__name__) and issubclass(thing, TopshelfError)
]


def parents_drawn() -> dict[str, str | None]:
    """Each class of the tree in the module's docstring with its parent; indentation tells the depth."""
    drawn: dict[str, str | None] = {}
    path: list[str] = []
    tree = (errors.__doc__ or "").split("\n\n")[1]
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.findall(r"\w+", line)
        path = path[:depth]
        for name in names:
            drawn[name] = path[-1] if path else None
        path.append(names[-1])
    return drawn


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    actual = {
        kind.__name__: None if kind is TopshelfError else kind.__bases__[0].__name__ for kind in CLASSES
    }
    assert parents_drawn() == actual


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_key_and_says_when_it_is_raised(kind: type[TopshelfError]) -> None:
    assert re.fullmatch(r"[a-z][a-z_]+", kind.key)
    assert "key" in vars(kind), "inherits its parent's key"
    start = "Root" if kind is TopshelfError else "Raised "
    assert (kind.__doc__ or "").startswith(start)


def test_keys_tell_errors_apart() -> None:
    # A parameter that does not fit is one kind of bad request to a client, whichever class says so.
    keys = [kind.key for kind in CLASSES if kind is not RequestError]
    assert sorted(keys) == sorted(set(keys))


def test_errors_of_requests_carry_a_status() -> None:
    for kind in CLASSES:
        if issubclass(kind, RequestError):
            assert 400 <= kind.status < 600


def test_a_refusal_carries_the_key_of_the_readers_answer() -> None:
    assert ReaderRefused("no such user", "user_not_found").key == "user_not_found"
    assert ReaderRefused("who knows").key == "reader_refused"
    assert ReaderRefused.key == "reader_refused"
