"""Environment variables to raw values and back; the only file that looks at ``os.environ``."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

PREFIX = "TOPSHELF_"
EXEMPT_PREFIX = "TOPSHELF_TEST_"
"""Variables of the test suite, which no setting answers to."""
FILE_SUFFIX = "_FILE"

Names = tuple[str, ...]
Tokens = tuple[SecretStr, ...]
Fields = Mapping[str, FieldInfo]


def read(fields: Fields, environ: Mapping[str, str] | None = None) -> tuple[dict[str, Any], list[str]]:
    """The fields that ``environ`` (the process's own by default) gives, and what is wrong with it.

    Returns:
        Raw values by field, and a line for each variable that no setting answers to, with the nearest right
        one, each secret that is given twice, and each file that cannot be read.
    """
    environ = os.environ if environ is None else environ
    raw: dict[str, Any] = {}
    faults: list[str] = []
    for variable, given in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(EXEMPT_PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        text = given
        if name not in fields:
            name = _named_by_file(variable, fields)
            if not name:
                faults.append(f"{variable} is not a setting{_nearest(variable, fields)}")
                continue
            text = _of_file(variable, given, faults)
            if given and environ.get(variable_of(name)):
                faults.append(f"{variable} and {variable_of(name)} are both set; unset one of them")
        if text or name not in raw:
            raw[name] = _split(text) if fields[name].annotation in {Names, Tokens} else text
    return raw, faults


def secret_files(fields: Fields, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The file of each secret that ``environ`` (the process's own by default) names one of; no pipes."""
    environ = os.environ if environ is None else environ
    named = {_named_by_file(variable, fields): Path(path) for variable, path in environ.items() if path}
    return {name: str(path.absolute()) for name, path in named.items() if name and path.is_file()}


def variable_of(name: str) -> str:
    """The variable that sets a field."""
    return PREFIX + name.upper()


def fault(loc: tuple[int | str, ...], message: str) -> str:
    """A line that says what is wrong with a variable."""
    variable = f"{variable_of(str(loc[0]))}: " if loc else ""
    return variable + message.removeprefix("Value error, ")


def text_of(value: Any) -> str:
    """A field's value as its variable gives it, secrets in the clear."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(text_of(part) for part in value)
    return "" if value is None else str(value)


def variables_of(values: Mapping[str, Any], files: Mapping[Any, str]) -> dict[str, str]:
    """The variables that give fields their values: a secret that a file holds by the file."""
    variables = {}
    for name, value in values.items():
        path = files.get(value) if isinstance(value, SecretStr | tuple) else None
        if path:
            variables[variable_of(name) + FILE_SUFFIX] = path
        else:
            variables[variable_of(name)] = text_of(value)
    return variables


def process_environment() -> dict[str, str]:
    """A copy of this process's environment without Topshelf's own variables, for a child to inherit."""
    return {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}


def _named_by_file(variable: str, fields: Fields) -> str:
    """The secret that a variable names a file of; empty where there is none."""
    if not (variable.startswith(PREFIX) and variable.endswith(FILE_SUFFIX)):
        return ""
    name = variable.removeprefix(PREFIX).removesuffix(FILE_SUFFIX).lower()
    return name if name in fields and fields[name].annotation in {SecretStr, Tokens} else ""


def _of_file(variable: str, path: str, faults: list[str]) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text().strip()
    except UnicodeDecodeError:
        faults.append(f"{variable}: {path} is not text")
    except OSError as error:
        faults.append(f"{variable}: {path} cannot be read: {error.strerror}")
    return ""


def _split(text: str) -> Names:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _nearest(variable: str, fields: Fields) -> str:
    close = difflib.get_close_matches(variable.removeprefix(PREFIX).lower(), fields, n=1, cutoff=0.5)
    return f"; did you mean {variable_of(close[0])}?" if close else ""
