"""A study of a model's hyper-parameters: Optuna proposes, Celery jobs try, the study's file remembers."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from models.registry import model_config
from models.space import Choice, Dimension, Floats, Ints
from store.jobs import Job
from topshelf.errors import InvalidConfig, JobNotFound
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.studies import note_dataset, studies_folder
from workers.tracking.fields import STUDY_BEST
from workers.tracking.runs import file_name

METRICS = ("NDCG@10", "MAP@10", "MAP@10 (min)", "MRR@10", "Precision@10", "Recall@10", "HitRate@10")
POLL_SECONDS = 0.3

_JOB = "job"
_ASKED = "asked"


@dataclass(frozen=True)
class TrialRecord:
    """One trial: its number from 0, its job, its hyper-parameters as far as they are searched, and how it
    ended; ``value`` is None where it did not end well.
    """

    number: int
    job_id: str
    params: dict[str, Any]
    value: float | None
    state: str
    failure: str
    seconds: float
    best: bool


OnTrial = Callable[[TrialRecord], None]
OnWait = Callable[[list[Job], int], None]
"""Told of the jobs under way, and how many trials are over."""


class Tuning:
    """A study that goes on where it was left: trials that are over stay, those under way are waited for.

    Args:
        name: of the study; its file lies in ``<data_dir>/studies``.
        dataset: version all trials are trained on.
        metric: one of ``METRICS``, measured on the validation part of the training rows.
        fixed: hyper-parameters that are given, not searched.

    Raises:
        InvalidConfig: nothing is left to search, the metric is unknown, or the study of this name asked for
            something else.
    """

    def __init__(
        self,
        runtime: Runtime,
        dispatch: Dispatcher,
        model: str,
        *,
        name: str,
        dataset: str,
        metric: str,
        fixed: Mapping[str, Any],
    ) -> None:
        config = model_config(model, fixed)
        self.space = {key: dimension for key, dimension in config.space.items() if key not in fixed}
        if not self.space:
            raise InvalidConfig(f"{model} has no hyper-parameter to search")
        if metric not in METRICS:
            raise InvalidConfig(f"{metric!r} cannot be maximised; {', '.join(METRICS)} can")
        self.name, self.model, self.metric = name, model, metric
        self._runtime, self._dispatch = runtime, dispatch
        self._dataset, self._fixed = dataset, dict(fixed)
        self._study = _open_study(studies_folder(runtime.settings.data_dir), name, runtime.settings.seed)
        asked = {"model": model, "dataset": dataset, "metric": metric, "fixed": self._fixed}
        known = self._study.user_attrs.get(_ASKED)
        if known is None:
            self._study.set_user_attr(_ASKED, asked)
            self._study.enqueue_trial(_within(self.space, config.model_dump()))
        elif known != json.loads(json.dumps(asked)):
            raise InvalidConfig(
                f"the study {name!r} asked for {json.dumps(known)}; give this one another name: --study NAME"
            )

    def run(self, trials: int, parallel: int, on_trial: OnTrial, on_wait: OnWait) -> None:
        """Go on until the study holds ``trials`` trials that are over, ``parallel`` jobs at a time."""
        while True:
            running = self._settle(on_trial)
            begun = len(self._study.get_trials(deepcopy=False, states=_BEGUN))
            while len(running) < parallel and begun < trials:
                running.append(self._begin(self._study.ask()))
                begun += 1
            if not running:
                return
            on_wait(running, begun - len(running))
            time.sleep(POLL_SECONDS)

    def records(self) -> list[TrialRecord]:
        """Every trial begun, by number."""
        return [self._record(trial) for trial in self._study.get_trials(deepcopy=False, states=_BEGUN)]

    def best(self) -> TrialRecord | None:
        """The best trial, None before one ended well."""
        return next((record for record in self.records() if record.best), None)

    def best_config(self) -> dict[str, Any]:
        """The hyper-parameters of the best trial, the fixed ones among them."""
        best = self.best()
        return {**self._fixed, **(best.params if best else {})}

    def _begin(self, trial: Trial) -> Job:
        note_dataset(studies_folder(self._runtime.settings.data_dir), self.name, self._dataset)
        config = {**self._fixed, **{key: _suggest(trial, key, where) for key, where in self.space.items()}}
        job, _ = self._runtime.jobs.create(
            "trial", self.model, params={"config": config, "dataset": self._dataset, "study": self.name}
        )
        trial.set_user_attr(_JOB, job.id)
        self._dispatch.start(job.id)
        return job

    def _settle(self, on_trial: OnTrial) -> list[Job]:
        """Enter what has ended into the study; returns the jobs still under way."""
        under_way = []
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            job = self._job_of(trial)
            if job is not None and not job.over:
                under_way.append(job)
                continue
            before = self.best()
            value = (job.metrics or {}).get(self.metric) if job and job.state == "succeeded" else None
            if value is None:
                self._study.set_user_attr(_failure_of(trial.number), _why(job))
                self._study.tell(trial.number, state=TrialState.FAIL)
            else:
                self._study.tell(trial.number, value)
            self._mark(before, self.best())
            on_trial(self._record(self._study.get_trials(deepcopy=False)[trial.number]))
        return under_way

    def _job_of(self, trial: FrozenTrial) -> Job | None:
        try:
            return self._runtime.jobs.get(trial.user_attrs.get(_JOB, ""))
        except JobNotFound:
            return None

    def _mark(self, before: TrialRecord | None, after: TrialRecord | None) -> None:
        """Say in the runs which of them is the best of the study."""
        if after is None or (before is not None and before.number == after.number):
            return
        if before is not None:
            self._runtime.runs.log(before.job_id).set({STUDY_BEST: False})
        self._runtime.runs.log(after.job_id).set({STUDY_BEST: True})
        self._dispatch.sync_runs()

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        done = [known for known in self._study.get_trials(deepcopy=False) if known.value is not None]
        best = max(done, key=lambda known: (known.value or 0.0, -known.number), default=None)
        over = trial.datetime_complete and trial.datetime_start
        return TrialRecord(
            number=trial.number,
            job_id=trial.user_attrs.get(_JOB, ""),
            params={key: _decoded(self.space.get(key), value) for key, value in trial.params.items()},
            value=trial.value,
            state=trial.state.name.lower(),
            failure=self._study.user_attrs.get(_failure_of(trial.number), ""),
            seconds=trial.duration.total_seconds() if over and trial.duration else 0.0,
            best=best is not None and best.number == trial.number,
        )


_BEGUN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.FAIL)


def _open_study(folder: Path, name: str, seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / f"{file_name(name)}.journal")))
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    # A seed used again after a break would propose again what it proposed at the beginning.
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + len(study.get_trials(deepcopy=False)), constant_liar=True
    )
    return study


def _suggest(trial: Trial, name: str, dimension: Dimension) -> Any:
    if isinstance(dimension, Ints):
        return trial.suggest_int(name, dimension.low, dimension.high, log=dimension.log, step=dimension.step)
    if isinstance(dimension, Floats):
        return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    return json.loads(trial.suggest_categorical(name, [json.dumps(option) for option in dimension.options]))


def _decoded(dimension: Dimension | None, value: Any) -> Any:
    return json.loads(value) if isinstance(dimension, Choice) else value


def _within(space: Mapping[str, Dimension], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that lie in the space, as Optuna writes them: what the first trial begins with."""
    found = {}
    for name, dimension in space.items():
        value = defaults[name]
        if isinstance(dimension, Choice):
            if json.dumps(value) in {json.dumps(option) for option in dimension.options}:
                found[name] = json.dumps(value)
        elif dimension.low <= value <= dimension.high:
            found[name] = value
    return found


def _failure_of(number: int) -> str:
    """Where a study keeps why a trial failed: Optuna gives a trial that is over no attributes."""
    return f"failure of trial {number}"


def _why(job: Job | None) -> str:
    if job is None:
        return "its job is gone"
    if job.error:
        return str(job.error.get("error_message", job.state))
    return f"its job {job.state} without the metric"
