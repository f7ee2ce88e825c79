"""Jobs: work asked of the workers, and how it goes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from api.auth import Scope, requires
from api.errors import documented
from api.reader import Reader, reader_of
from api.schemas import JobAnswer, JobBody, JobsAnswer
from store.jobs import Job
from topshelf.errors import StoreError, StoreUnavailable
from topshelf.logs import current_trace

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[Depends(requires(Scope.admin))])

State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]


@router.post("", status_code=202, summary="Ask for work", responses=documented(409, 413, 422, 503))
def create_job(request: Request, response: Response, body: JobBody) -> JobAnswer:
    """Records the job and sends it to the workers; `Location` names where it can be watched.

    A `job_id` sent again answers with the job that is there, and starts nothing.
    """
    reader = reader_of(request)
    reader.dispatcher.check_installed()
    job, created = reader.jobs.create(
        body.kind, body.model, params=body.params, job_id=body.job_id, trace=current_trace()
    )
    if created:
        _send(reader, job)
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)


@router.get("", summary="Jobs, newest first", responses=documented(422, 503))
def list_jobs(
    request: Request,
    state: Annotated[State | None, Query(description="only jobs in this state")] = None,
    model: Annotated[str | None, Query(description="only jobs of this model")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobsAnswer:
    """Records are kept for 30 days, unless set otherwise."""
    found = reader_of(request).jobs.list(limit=limit, state=state, model=model)
    return JobsAnswer(jobs=[JobAnswer.model_validate(job) for job in found])


@router.get("/{job_id}", summary="One job", responses=documented(404, 503))
def get_job(request: Request, job_id: str) -> JobAnswer:
    """State, progress, and in the end the result or the error."""
    return JobAnswer.model_validate(reader_of(request).jobs.get(job_id))


@router.delete("/{job_id}", status_code=202, summary="Cancel a job", responses=documented(404, 503))
def cancel_job(request: Request, job_id: str) -> JobAnswer:
    """The job stops at its next epoch or chunk; one that is over stays as it is."""
    return JobAnswer.model_validate(reader_of(request).jobs.request_cancel(job_id))


def _send(reader: Reader, job: Job) -> None:
    try:
        reader.dispatcher.start(job.id)
    except StoreUnavailable as error:
        fault = {"error_key": error.key, "error_message": "the job could not be sent to the workers"}
        try:
            reader.jobs.finish(job.id, "failed", error=fault)
        except StoreError as second:
            # Left queued: the reconciler sends it once the store is back.
            raise error from second
        raise
