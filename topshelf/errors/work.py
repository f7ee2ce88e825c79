"""Jobs, trackers and hooks."""

from topshelf.errors.root import TopshelfError


class JobError(TopshelfError):
    """Raised when a job cannot go on."""

    key = "job_error"


class JobCancelled(JobError):
    """Raised inside a task when somebody asked for its job to be cancelled."""

    key = "job_cancelled"


class JobFailed(JobError):
    """Raised to somebody who waits for a job that failed; names the job and its log."""

    key = "job_failed"


class JobDelayed(JobError):
    """Raised inside a task while a delta, asked to stop, holds its job's model; it is sent again."""

    key = "job_delayed"


class ChunkTaken(JobError):
    """Raised inside a chunk's task when there is nothing left to do: it is done, or its generation closed."""

    key = "chunk_taken"


class NightAtWork(JobError):
    """Raised when a nightly run is begun by hand while another of its schedule is at work."""

    key = "night_at_work"


class TrackerError(TopshelfError):
    """Raised when a tracker does not take what it is told; nothing is lost, it is told again later."""

    key = "tracker_error"


class TrackerUnavailable(TrackerError):
    """Raised when nobody answers at a tracker's server."""

    key = "tracker_unavailable"


class HookError(TopshelfError):
    """Raised when a hook of nightly runs cannot do its work."""

    key = "hook_error"


class NoticeUndelivered(HookError):
    """Raised when a hook's receiver does not take a notice; it is told again after a pause."""

    key = "notice_undelivered"
