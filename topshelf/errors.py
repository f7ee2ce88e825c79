"""Every error Topshelf raises, in one tree.

TopshelfError
  SettingsError
  DataError
    UnreadableFile · MissingColumn · EmptyData · TooManyRejects · InvalidId
    DatasetNotFound · CorruptDataset · RunNotFound
    CorruptBackup · SystemNotEmpty
  ModelError
    UnknownModel · InvalidConfig · NotFitted · TrainingFailed · CannotFoldIn
    ArtifactNotFound · CorruptArtifact · GateRefused · RecallTooLow
  StoreError
    StoreUnavailable · UnsuitableServer · NotEnoughRoom
    GenerationNotFound · GenerationIncomplete · FenceLost · ModelOnHold · NothingToRollBack
    BlobNotFound · LockHeld · EventsFull · JobNotFound · NightNotFound · LaterVersion
  JobError
    JobCancelled · JobFailed · JobDelayed · ChunkTaken · NightAtWork
  TrackerError
    TrackerUnavailable
  HookError
    NoticeUndelivered
  ServiceError
    ReaderRefused
  DeliberateFault
  RequestError
    ModelNotFound · UserNotFound · ItemNotFound · NotAuthenticated · NotAllowed
    InvalidRequest · BodyTooLarge · ControlNotInstalled
    ProfileNotFound · ProfilingNotInstalled

``key`` is the stable name an HTTP client, a job record and ``--json`` output carry.
"""


class TopshelfError(Exception):
    """Root of the tree; the message says what went wrong and what to do."""

    key = "topshelf_error"


class SettingsError(TopshelfError):
    """Raised when settings are unusable; the message lists every fault at once."""

    key = "settings_invalid"


class DataError(TopshelfError):
    """Raised when the data handed in cannot be used."""

    key = "data_invalid"


class UnreadableFile(DataError):
    """Raised when a file is missing, not of its declared format, or cannot be decoded."""

    key = "file_unreadable"


class MissingColumn(DataError):
    """Raised when a mapped column is not in the file; the message lists those that are."""

    key = "column_missing"


class EmptyData(DataError):
    """Raised when a file, or what is left of it after the rejects, holds no rows."""

    key = "data_empty"


class TooManyRejects(DataError):
    """Raised when the share of bad rows is above the one the user set."""

    key = "too_many_rejects"


class InvalidId(DataError):
    """Raised when an id is outside the declared type or range."""

    key = "id_invalid"


class DatasetNotFound(DataError):
    """Raised when a dataset version does not exist."""

    key = "dataset_not_found"


class CorruptDataset(DataError):
    """Raised when a dataset's files do not match its manifest."""

    key = "dataset_corrupt"


class RunNotFound(DataError):
    """Raised when no training run has this id."""

    key = "run_not_found"


class CorruptBackup(DataError):
    """Raised when a backup is no backup, is cut short or was altered; nothing was restored."""

    key = "backup_corrupt"


class SystemNotEmpty(DataError):
    """Raised when a backup would be restored over what is there; nothing was changed."""

    key = "system_not_empty"


class ModelError(TopshelfError):
    """Raised when a model cannot be built, trained, stored or loaded."""

    key = "model_error"


class UnknownModel(ModelError):
    """Raised when no model has this name; the message names the nearest one."""

    key = "model_unknown"


class InvalidConfig(ModelError):
    """Raised when a hyper-parameter is unknown or out of range; names the nearest right one."""

    key = "config_invalid"


class NotFitted(ModelError):
    """Raised when a model is used before ``fit``."""

    key = "model_not_fitted"


class TrainingFailed(ModelError):
    """Raised when training diverges or cannot start."""

    key = "training_failed"


class CannotFoldIn(ModelError):
    """Raised when a model can serve only the users it was trained on; run its pipeline instead."""

    key = "model_cannot_fold_in"


class ArtifactNotFound(ModelError):
    """Raised when an artifact does not exist."""

    key = "artifact_not_found"


class CorruptArtifact(ModelError):
    """Raised when an artifact's files do not match its manifest."""

    key = "artifact_corrupt"


class GateRefused(ModelError):
    """Raised when a candidate is not good enough to be published; the message says why."""

    key = "gate_refused"


class RecallTooLow(ModelError):
    """Raised when an approximate search finds too little of the exact lists."""

    key = "recall_too_low"


class StoreError(TopshelfError):
    """Raised when Redis cannot do what was asked."""

    key = "store_error"


class StoreUnavailable(StoreError):
    """Raised when a Redis server cannot be reached or does not answer in time."""

    key = "store_unavailable"


class UnsuitableServer(StoreError):
    """Raised when a Redis server would lose data: an evicting policy, or a version too old."""

    key = "server_unsuitable"


class NotEnoughRoom(StoreError):
    """Raised when a new generation would not fit below ``maxmemory``, or does not while it is written."""

    key = "not_enough_room"


class GenerationNotFound(StoreError):
    """Raised when a generation, or a model's live pointer, does not exist."""

    key = "generation_not_found"


class GenerationIncomplete(StoreError):
    """Raised when a generation fails verification before publishing."""

    key = "generation_incomplete"


class FenceLost(StoreError):
    """Raised when a later run has overtaken this one; nothing was published."""

    key = "fence_lost"


class ModelOnHold(StoreError):
    """Raised when a rollback holds the model; ``topshelf release`` lifts it."""

    key = "model_on_hold"


class NothingToRollBack(StoreError):
    """Raised when a model has no delta and no previous generation."""

    key = "nothing_to_roll_back"


class BlobNotFound(StoreError):
    """Raised when a catalogue or a neighbour artifact is not in the store, or not whole."""

    key = "blob_not_found"


class LockHeld(StoreError):
    """Raised when another run holds the model's lock."""

    key = "model_busy"


class EventsFull(StoreError):
    """Raised when the events stream is at its limit; nothing was taken, try again later."""

    key = "events_full"


class JobNotFound(StoreError):
    """Raised when no job has this id."""

    key = "job_not_found"


class NightNotFound(StoreError):
    """Raised when no nightly run has this id."""

    key = "night_not_found"


class LaterVersion(StoreError):
    """Raised when a later version of the code wrote what this one would misread; upgrade this process."""

    key = "later_version"


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


class ServiceError(TopshelfError):
    """Raised when a child process cannot be started or does not become ready."""

    key = "service_failed"


class ReaderRefused(ServiceError):
    """Raised when a running reader answers with an error; ``key`` is the one in its answer."""

    key = "reader_refused"

    def __init__(self, message: str, key: str = key) -> None:
        super().__init__(message)
        self.key = key


class DeliberateFault(TopshelfError):
    """Raised for users whose id is a multiple of 666 while ``TOPSHELF_FAULT_USERS`` is on."""

    key = "deliberate_fault"

    def __init__(self, user: int | str) -> None:
        super().__init__("a deliberate fault: TOPSHELF_FAULT_USERS is on")
        self.user = user


class RequestError(TopshelfError):
    """Raised when an HTTP request cannot be answered as asked; ``status`` is the answer's."""

    key = "request_invalid"
    status = 400


class ModelNotFound(RequestError):
    """Raised when a model has no live generation."""

    key = "model_not_found"
    status = 404


class UserNotFound(RequestError):
    """Raised when a user id is outside the dataset's declared type or range."""

    key = "user_not_found"
    status = 404


class ItemNotFound(RequestError):
    """Raised when an item is not in the catalogue."""

    key = "item_not_found"
    status = 404


class NotAuthenticated(RequestError):
    """Raised when a request carries no token, or a wrong one."""

    key = "not_authenticated"
    status = 401


class NotAllowed(RequestError):
    """Raised when a token's scope is too narrow."""

    key = "not_allowed"
    status = 403


class InvalidRequest(RequestError):
    """Raised when a parameter or a body does not fit the route."""

    key = "request_invalid"
    status = 422


class BodyTooLarge(RequestError):
    """Raised when a request body is over the limit."""

    key = "body_too_large"
    status = 413


class ControlNotInstalled(RequestError):
    """Raised when jobs are asked of a reader installed without the ``control`` extra."""

    key = "control_not_installed"
    status = 503


class ProfileNotFound(RequestError):
    """Raised when a profile was never taken, or is not kept any more."""

    key = "profile_not_found"
    status = 404


class ProfilingNotInstalled(RequestError):
    """Raised when profiles are asked of a reader installed without the ``watch`` extra."""

    key = "profiling_not_installed"
    status = 503
