"""What nobody needs any more goes off the disk: dataset versions, artifacts, indexes, merged event segments.

Needed is whatever a generation that Redis still knows was made of, a job or nightly run that is not over
works on, or a study that went on lately; the newest few beside them; and all that is young, for it may be
about to be named. Each dataset version is whole in itself: none needs the one it was extended from.
"""

import datetime as dt
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interactions.manifest import DatasetManifest
from models.artifacts import ArtifactManifest
from store.job import Job
from store.records import SECONDS_A_DAY
from topshelf.errors import CorruptDataset
from workers.runtime import Runtime
from workers.studies import datasets_of_studies, studies_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retired:
    """What went off the disk."""

    datasets: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{len(self.datasets)} dataset versions and {len(self.artifacts)} artifacts"


@dataclass(frozen=True)
class Needed:
    """What must stay, by name."""

    datasets: set[str]
    artifacts: set[str]


def retire_files(runtime: Runtime, *, unused_after_seconds: float | None = None) -> Retired:
    """Remove what is not needed; a disk that refuses is logged, and asked again by the next run.

    What is younger than ``unused_after_seconds`` stays: the longest time a task may take, where None.
    """
    settings = runtime.settings
    age = settings.task_limit_seconds if unused_after_seconds is None else unused_after_seconds
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age)
    runtime.sweep()
    try:
        versions = runtime.datasets.versions()
    except CorruptDataset as error:
        log.warning("nothing is retired, for a dataset cannot be read: %s", error)
        return Retired()
    artifacts = runtime.artifacts.list()
    # Looked at after the folders were listed: what is begun meanwhile names nothing that was old by then.
    needed = _needed(runtime)
    needed.artifacts.update(_kept_artifacts(artifacts, settings.keep_artifacts, before))
    needed.datasets.update(_kept_datasets(versions, settings.keep_datasets, before))
    needed.datasets.update(manifest.dataset for manifest in artifacts if manifest.id in needed.artifacts)
    retired = Retired()
    for manifest in artifacts:
        if manifest.id not in needed.artifacts and _is_removed(runtime.artifacts.remove, manifest.id):
            retired.artifacts.append(manifest.id)
    line = _line_of_newest(versions)
    for version in reversed(versions):
        if version.version not in needed.datasets and _is_removed(runtime.datasets.remove, version.version):
            _retire_segments(runtime, version.version, line)
            retired.datasets.append(version.version)
    _retire_indexes(runtime, {manifest.model for manifest in artifacts})
    if retired.datasets or retired.artifacts:
        log.info("%s were retired", retired)
    return retired


def _needed(runtime: Runtime) -> Needed:
    """What generations, jobs, studies and nightly runs name; retired and failed generations until swept."""
    jobs = runtime.jobs.active()
    nights = runtime.nights.active()
    generations = [each for model in runtime.generations.models() for each in runtime.generations.list(model)]
    needed = Needed(set(), set())
    for generation in generations:
        needed.datasets.update((generation.dataset, generation.newer))
        needed.artifacts.update((generation.artifact, generation.knn))
    for job in jobs:
        needed.datasets.update((job.dataset, str(job.params.get("dataset", ""))))
        needed.artifacts.update(_artifacts_of(job))
    needed.datasets.update(run.dataset for run in nights)
    studies, days = studies_folder(runtime.settings.data_dir), runtime.settings.job_retention_days
    needed.datasets.update(datasets_of_studies(studies, days * SECONDS_A_DAY))
    return needed


def _artifacts_of(job: Job) -> Iterator[str]:
    yield job.artifact
    yield str(job.params.get("artifact", ""))
    components: Any = (job.params.get("config") or {}).get("components")
    for component in components if isinstance(components, list) else ():
        if isinstance(component, dict):
            yield str(component.get("artifact", ""))


def _kept_artifacts(manifests: Iterable[ArtifactManifest], newest: int, before: dt.datetime) -> Iterator[str]:
    """Of manifests, newest first, the newest of each model (all where ``newest`` is 0) and the young ones."""
    seen: dict[str, int] = {}
    for manifest in manifests:
        place = seen[manifest.model] = seen.get(manifest.model, 0) + 1
        if not newest or place <= newest or dt.datetime.fromisoformat(manifest.created) >= before:
            yield manifest.id


def _kept_datasets(manifests: Iterable[DatasetManifest], newest: int, before: dt.datetime) -> Iterator[str]:
    for place, manifest in enumerate(manifests, 1):
        if not newest or place <= newest or dt.datetime.fromisoformat(manifest.created) >= before:
            yield manifest.version


def _is_removed(remove: Callable[[str], None], name: str) -> bool:
    try:
        remove(name)
    except OSError as error:
        log.warning("%s is not needed and cannot be removed: %s", name, error)
        return False
    return True


def _line_of_newest(versions: list[DatasetManifest]) -> set[str]:
    """Of versions, newest first, those the newest was extended from, step by step: it has their events."""
    parents = {version.version: version.parent for version in versions}
    line: set[str] = set()
    parent = versions[0].parent if versions else None
    while parent is not None and parent not in line:
        line.add(parent)
        parent = parents.get(parent)
    return line


def _retire_segments(runtime: Runtime, version: str, line: set[str]) -> None:
    """Remove the segments of a version that is gone, where the newest has its events."""
    segments = _merged(runtime) / version
    if version in line and segments.is_dir():
        shutil.rmtree(segments, ignore_errors=True)


def _retire_indexes(runtime: Runtime, models: set[str]) -> None:
    busy = {job.model for job in runtime.jobs.active()}
    for model in models - busy:
        used = {generation.index for generation in runtime.generations.list(model)}
        runtime.indexes.drop_unused(model, used)


def _merged(runtime: Runtime) -> Path:
    return runtime.settings.data_dir / "events" / "merged"
