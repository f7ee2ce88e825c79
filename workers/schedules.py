"""What is recomputed when: schedules from a TOML file, or the one that the settings make."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models.registry import model_config
from topshelf.errors import InvalidConfig, ModelError, SettingsError
from topshelf.settings import Settings
from topshelf.settings.kinds import TimeZone
from workers.cron import crontab_of
from workers.rules import read_rules

DEFAULT_SCHEDULE = "nightly"
"""The schedule made of TOPSHELF_NIGHTLY_CRON and TOPSHELF_MODELS, and what a command means by none."""
TABLES = ("defaults", "schedules")
VARIABLES = {"cron": "TOPSHELF_NIGHTLY_CRON", "models": "TOPSHELF_MODELS"}

Faults = list[tuple[str, str]]
"""What is wrong, each behind the key it is wrong in."""


class Schedule(BaseModel):
    """When a set of models is recomputed, and with what.

    Attributes:
        cron: five fields in ``timezone``; empty for a schedule that is only run by hand.
        config: hyper-parameters by model; the model's own defaults where there are none.
        rules_file: JSON of what lists may hold; that of the settings where None.
        gate_tolerance, min_overlap: as the settings of these names; those where None.
        catch_up: whether a run that was missed is begun once the system is back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    cron: str
    timezone: TimeZone
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    config: dict[str, dict[str, Any]] = {}
    rules_file: Path | None = None
    gate_tolerance: Annotated[float, Field(ge=0, lt=1)] | None = None
    min_overlap: Annotated[float, Field(ge=0, le=1)] | None = None
    catch_up: bool = True

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, cron: str) -> str:
        if cron:
            try:
                crontab_of(cron, said_in="")
            except SettingsError as error:
                raise ValueError(str(error).removeprefix(": ")) from error
        return cron

    def params(self, model: str) -> dict[str, Any]:
        """What the job of one of its models is asked for; the rules are read now.

        Raises:
            InvalidConfig: the rules file cannot be used.
        """
        gate = {"tolerance": self.gate_tolerance, "min_overlap": self.min_overlap}
        params: dict[str, Any] = {
            "config": self.config.get(model),
            "gate": {name: value for name, value in gate.items() if value is not None},
        }
        if self.rules_file is not None:
            params["rules"] = read_rules(self.rules_file).model_dump(mode="json", exclude_defaults=True)
        return {name: value for name, value in params.items() if value}


@dataclass(frozen=True)
class Schedules:
    """Every schedule there is, by name, and the time zone that beat itself runs in."""

    by_name: Mapping[str, Schedule]
    timezone: str

    def __iter__(self) -> Iterator[Schedule]:
        return iter(self.by_name.values())

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Every model of any schedule, once, in order."""
        return tuple(dict.fromkeys(model for schedule in self for model in schedule.models))

    def get(self, name: str | None) -> Schedule:
        """One schedule; where no name is given, ``nightly``, or the only one.

        Raises:
            SettingsError: there is none of this name; names the nearest, or those there are.
        """
        if name is None and len(self.by_name) == 1:
            return next(iter(self))
        wanted = name or DEFAULT_SCHEDULE
        if wanted not in self.by_name:
            raise SettingsError(f"there is no schedule {wanted!r}{_nearest(wanted, self.by_name)}")
        return self.by_name[wanted]


@lru_cache(maxsize=4)
def schedules_of(settings: Settings) -> Schedules:
    """The schedules of the settings' file, else the one that the settings make; read once in a process.

    Raises:
        SettingsError: naming every fault at once.
    """
    found, faults = _of_file(settings) if settings.schedule_file else _of_settings(settings)
    if faults:
        raise SettingsError("\n".join(dict.fromkeys(faults)))
    return found


def _of_settings(settings: Settings) -> tuple[Schedules, list[str]]:
    zone = settings.nightly_timezone
    raw = {"cron": settings.nightly_cron, "timezone": zone, "models": settings.models}
    schedule, faults = _schedule(DEFAULT_SCHEDULE, raw)
    names = {
        "cron": "TOPSHELF_NIGHTLY_CRON",
        "models": "TOPSHELF_MODELS",
        "timezone": "TOPSHELF_NIGHTLY_TIMEZONE",
    }
    said = [f"{names.get(key, key)}: {fault}" for key, fault in faults]
    return Schedules({DEFAULT_SCHEDULE: schedule} if schedule else {}, zone), said


def _of_file(settings: Settings) -> tuple[Schedules, list[str]]:
    file = settings.schedule_file or Path()
    nothing = Schedules({}, settings.nightly_timezone)
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        return nothing, [f"TOPSHELF_SCHEDULE_FILE: {file} cannot be read: {error}"]
    faults = [f"{key}: is not a table{_nearest(key, TABLES)}" for key in content if key not in TABLES]
    defaults, schedules = (content.get(table, {}) for table in TABLES)
    if not isinstance(defaults, dict) or not isinstance(schedules, dict) or not schedules:
        faults.append("schedules: at least one is wanted, written [schedules.NAME] with cron and models")
        return nothing, _in(file, faults)
    known = set(Schedule.model_fields) - {"name"}
    faults += [f"defaults.{key}: is not a key{_nearest(key, known)}" for key in defaults if key not in known]
    usable = {"timezone": settings.nightly_timezone} | {
        key: value for key, value in defaults.items() if key in known
    }
    found: dict[str, Schedule] = {}
    for name, own in schedules.items():
        raw = _with_defaults(own, usable) if isinstance(own, dict) else own
        schedule, wrong = _schedule(name, raw, beside=file)
        faults += [
            f"{'defaults' if _is_of_defaults(key, own, defaults) else f'schedules.{name}'}.{key}: {fault}"
            for key, fault in wrong
        ]
        if schedule:
            found[name] = schedule
    return Schedules(found, str(usable["timezone"])), _in(file, faults)


def _with_defaults(own: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """A schedule's keys over the defaults; of default hyper-parameters those of its models, one by one."""
    raw = {**defaults, **own}
    shared, given = defaults.get("config"), own.get("config", {})
    models = raw.get("models")
    if isinstance(shared, dict) and isinstance(given, dict) and isinstance(models, list):
        raw["config"] = {model: shared[model] for model in shared if model in models} | given
    return raw


def _in(file: Path, faults: list[str]) -> list[str]:
    return [f"{file.name}: {fault}" for fault in faults]


def _is_of_defaults(key: str, own: Any, defaults: Mapping[str, Any]) -> bool:
    first = key.partition(".")[0]
    return isinstance(own, dict) and first not in own and first in defaults


def _schedule(
    name: str, raw: Any, beside: Path | None = None
) -> tuple[Schedule | None, list[tuple[str, str]]]:
    """A schedule, or None; and what is wrong, each with the key it is wrong in."""
    if not isinstance(raw, dict):
        return None, [("", "a table is wanted, with cron and models")]
    rules_file = raw.get("rules_file")
    if beside is not None and isinstance(rules_file, str):
        raw = raw | {"rules_file": beside.parent / rules_file}
    try:
        schedule = Schedule.model_validate({**raw, "name": name})
    except ValidationError as error:
        faults = [_fault(problem) for problem in error.errors(include_url=False, include_input=False)]
    else:
        faults = []
    if "name" in raw:
        faults.append(("name", "is not a key; a schedule is named by its table"))
    models = raw.get("models", ())
    names = [model for model in models if isinstance(model, str)] if isinstance(models, list | tuple) else []
    faults += _model_faults(names, raw.get("config", {}), _rules_of(raw))
    return (None if faults else schedule), faults


def _rules_of(raw: Mapping[str, Any]) -> Path | None:
    found = raw.get("rules_file")
    return found if isinstance(found, Path) else None


def _fault(problem: Any) -> tuple[str, str]:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return key, f"is not a key{_nearest(key, set(Schedule.model_fields) - {'name'})}"
    message = problem["msg"].removeprefix("Value error, ")
    return key, message[:1].lower() + message[1:]


def _model_faults(models: list[str], config: Any, rules_file: Path | None) -> list[tuple[str, str]]:
    config = config if isinstance(config, dict) else {}
    faults = [
        ("models", f"{model} is named twice") for model in dict.fromkeys(models) if models.count(model) > 1
    ]
    for model in dict.fromkeys(models):
        given = config.get(model)
        try:
            model_config(model, given if isinstance(given, dict) else None)
        except InvalidConfig as error:
            faults.append((f"config.{model}", str(error)))
        except ModelError as error:
            faults.append(("models", str(error)))
    faults += [
        (f"config.{model}", f"the schedule has no such model{_nearest(model, models)}")
        for model in config
        if model not in models
    ]
    if rules_file is not None:
        try:
            read_rules(rules_file)
        except InvalidConfig as error:
            faults.append(("rules_file", str(error)))
    return faults


def _nearest(name: str, known: Any) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(names)}" if names else ""
