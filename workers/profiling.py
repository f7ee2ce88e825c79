"""Profiles the tasks of jobs that ask for it: ``profile`` in a job's params.

Each stage and the first few chunks leave a page and a speedscope file in ``<data_dir>/profiles/jobs/<job>``.
A task that cannot be profiled, or whose profile cannot be written, goes on as if nobody had asked.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from store.dispatch import CHUNK_TASK, TASK_OF_STAGE
from topshelf.errors import StoreError
from topshelf.profiling.files import INSTALL, is_installed, keep_newest_folders, write_profile
from topshelf.settings import Settings
from workers.runtime import Runtime
from workers.tracking.runs import file_name

if TYPE_CHECKING:
    from topshelf.profiling.bounded import BoundedProfiler
    from workers.observing import TaskCall

CHUNKS_PROFILED = 8
"""The first chunks of a job; a thousand of them would say the same."""
KEPT_JOBS = 50
KEPT_BYTES = 500_000_000
STAGE_OF_TASK = {task: stage for stage, task in TASK_OF_STAGE.items()}

log = logging.getLogger(__name__)


def folder_of_profiles(settings: Settings) -> Path:
    """Where the profiles of jobs are, a folder for each job, named as its run's file is."""
    return settings.data_dir / "profiles" / "jobs"


@contextmanager
def profiled(runtime: Runtime, call: "TaskCall") -> Iterator[None]:
    """Run the block, one task, under a profiler where its job asks for that."""
    name = _name_where_asked_for(runtime, call)
    profiler = _started(call, name) if name else None
    if profiler is None:
        yield
        return
    try:
        yield
    finally:
        _keep(profiler, folder_of_profiles(runtime.settings), str(call.ids[0]), name)


def _name_where_asked_for(runtime: Runtime, call: "TaskCall") -> str:
    """What the profile of a task is called; empty where nobody asks for one."""
    chunk = call.task == CHUNK_TASK
    if not call.ids or not (chunk or call.task in STAGE_OF_TASK):
        return ""
    if chunk and call.ids[-1] >= CHUNKS_PROFILED:
        return ""
    try:
        job = runtime.jobs.get(str(call.ids[0]))
    except StoreError:
        return ""
    if job.params.get("profile") is not True:
        return ""
    return f"chunk-{call.ids[-1]}" if chunk else f"{STAGE_OF_TASK[call.task]}-{job.attempts + 1}"


def _started(call: "TaskCall", name: str) -> "BoundedProfiler | None":
    if not is_installed():
        log.warning("job %s: %s is not profiled: %s", call.ids[0], name, INSTALL)
        return None
    if sys.getprofile() is not None:
        log.warning("job %s: %s is not profiled: another profiler is at work", call.ids[0], name)
        return None
    from topshelf.profiling.bounded import BoundedProfiler  # noqa: PLC0415 -- an extra

    profiler = BoundedProfiler()
    try:
        profiler.start(target_description=f"{name} of job {call.ids[0]}")
    except (RuntimeError, ValueError) as error:
        log.warning("job %s: %s is not profiled: %s", call.ids[0], name, error)
        return None
    return profiler


def _keep(profiler: "BoundedProfiler", folder: Path, job_id: str, name: str) -> None:
    try:
        session = profiler.stop()
        if not session.frame_records:
            return  # over before anybody looked
        page, _ = write_profile(session, folder / file_name(job_id), name)
        keep_newest_folders(folder, KEPT_JOBS, KEPT_BYTES)
        log.info("job %s: the profile of %s is %s", job_id, name, page)
    except (RuntimeError, OSError) as error:
        log.warning("job %s: the profile of %s is lost: %s", job_id, name, error)
