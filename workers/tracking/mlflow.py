"""MLflow: SQLite beside the data by default, or any tracking URI.

Its names may hold letters, digits, ``_ - . / :`` and blanks only; ``mlflow_name`` writes the others as
words between colons: ``training/Metrics/MAP:at:10``.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from topshelf.errors import TrackerError
from workers.tracking.fields import TAGS
from workers.tracking.run import Event, Run
from workers.tracking.runs import file_name
from workers.tracking.tracker import Tracker, check_reachable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

EXPERIMENT = "topshelf"
RUN_TAG = "topshelf.run"
"""Holds the run's id in file-name form, by which the run is found again."""

_TIMEOUT_SECONDS = 10
_METRICS_AT_ONCE = 1_000
_WORDS = {"@": "at", "(": "open", ")": "close", ":": "colon"}
_CHARACTERS = {word: character for character, word in _WORDS.items()}
_STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}

_T = TypeVar("_T")


class MLflowTracker(Tracker):
    """Tells MLflow of runs while they go on.

    Args:
        folder: holds ``mlflow.db`` and ``mlflow-artifacts``.
        uri: another tracking URI; empty for the SQLite file.
    """

    name = "mlflow"

    def __init__(self, folder: Path, uri: SecretStr) -> None:
        self._folder = folder
        self._uri = uri
        self._opened: tuple[MlflowClient, str] | None = None

    def environment(self) -> dict[str, str]:
        return {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_TIMEOUT_SECONDS),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GIT_PYTHON_REFRESH": "quiet",
        }

    def send(self, run: Run, since: int) -> None:
        check_reachable(self._uri.get_secret_value())
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 -- takes a second and 190 MB

        try:
            client, experiment = self._open()
            mlflow_run = _find(client, experiment, run) or _create(client, experiment, run)
            _send_events(client, mlflow_run, run.events[since:])
            if run.over:
                client.set_terminated(mlflow_run, _STATUS[run.state], round(run.last_seen * 1_000))
        except MlflowException as error:
            raise TrackerError(f"MLflow did not take run {run.id}: {error}") from error

    def _open(self) -> tuple["MlflowClient", str]:
        """A client, and the id of the experiment all runs are in."""
        from mlflow import MlflowClient  # noqa: PLC0415

        if self._opened is None:
            uri = self._uri.get_secret_value()
            client = MlflowClient(uri or f"sqlite:///{self._folder / 'mlflow.db'}")
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is not None:
                experiment = found.experiment_id
            else:
                beside = None if uri else (self._folder / "mlflow-artifacts").as_uri()
                experiment = client.create_experiment(EXPERIMENT, artifact_location=beside)
            self._opened = client, experiment
        return self._opened


def mlflow_name(field: str) -> str:
    """A field's name as MLflow takes it."""
    return re.sub(
        r"[^/\w.\- ]",
        lambda match: f":{_WORDS.get(match[0]) or f'x{ord(match[0]):x}'}:",
        field,
        flags=re.ASCII,
    )


def field_name(name: str) -> str:
    """The field behind a name of ``mlflow_name``."""
    return re.sub(
        r":(\w+):", lambda match: _CHARACTERS.get(match[1]) or chr(int(match[1].removeprefix("x"), 16)), name
    )


def _find(client: "MlflowClient", experiment: str, run: Run) -> str | None:
    found = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{file_name(run.id)}'", max_results=1)
    return str(found[0].info.run_id) if found else None


def _create(client: "MlflowClient", experiment: str, run: Run) -> str:
    tags = {RUN_TAG: file_name(run.id), **{f"tag.{tag}": "true" for tag in run.fields.get(TAGS, [])}}
    created = client.create_run(experiment, round(run.created * 1_000), tags, run_name=run.id)
    return str(created.info.run_id)


def _send_events(client: "MlflowClient", run_id: str, events: Iterable[Event]) -> None:
    """What a run begins with are parameters, which never change; what comes later are metrics and tags."""
    metrics: list[Metric] = []
    for event in events:
        if event.kind == "start":
            for some in _by(100, [_param(name, value) for name, value in event.fields.items()]):
                client.log_batch(run_id, params=some)
        elif event.kind == "point":
            metrics += [_metric(name, value, event) for name, value in event.fields.items()]
        else:
            numbers = {name: value for name, value in event.fields.items() if _is_number(value)}
            metrics += [_metric(name, value, event) for name, value in numbers.items()]
            texts = [_tag(name, value) for name, value in event.fields.items() if name not in numbers]
            if texts:
                client.log_batch(run_id, tags=texts)
    for part in _by(_METRICS_AT_ONCE, metrics):
        client.log_batch(run_id, metrics=part)


def _by(size: int, things: list[_T]) -> Iterator[list[_T]]:
    return (things[start : start + size] for start in range(0, len(things), size))


def _param(name: str, value: Any) -> "Param":
    from mlflow.entities import Param  # noqa: PLC0415

    return Param(mlflow_name(name), str(value))


def _tag(name: str, value: Any) -> "RunTag":
    from mlflow.entities import RunTag  # noqa: PLC0415

    return RunTag(mlflow_name(name), str(value))


def _metric(name: str, value: Any, event: Event) -> "Metric":
    from mlflow.entities import Metric  # noqa: PLC0415

    return Metric(mlflow_name(name), float(value), round(event.at * 1_000), event.step)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
