"""The last nightly run, as its jobs tell of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from store.job_census import CountedJob

PREFIX = "nightly-"
STATES = ("running", "succeeded", "failed")


@dataclass(frozen=True)
class LastNight:
    """The newest nightly run.

    Attributes:
        state: running while a job of it is not over, failed where one did not succeed.
        began: epoch seconds.
    """

    state: str
    began: float


def last_night(jobs: Sequence[CountedJob]) -> LastNight | None:
    """The newest run among the jobs; None where there is none."""
    nightly = [job for job in jobs if job.id.startswith(PREFIX)]
    if not nightly:
        return None
    newest = max(_run_of(job) for job in nightly)
    own = [job for job in nightly if _run_of(job) == newest]
    if not all(job.over for job in own):
        state = "running"
    else:
        state = "succeeded" if all(job.state == "succeeded" for job in own) else "failed"
    return LastNight(state, min(job.created for job in own))


def _run_of(job: CountedJob) -> str:
    return job.id.removesuffix(f"-{job.model}")
