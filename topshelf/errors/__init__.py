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

from topshelf.errors.data import (
    CorruptBackup,
    CorruptDataset,
    DataError,
    DatasetNotFound,
    EmptyData,
    InvalidId,
    MissingColumn,
    RunNotFound,
    SystemNotEmpty,
    TooManyRejects,
    UnreadableFile,
)
from topshelf.errors.models import (
    ArtifactNotFound,
    CannotFoldIn,
    CorruptArtifact,
    GateRefused,
    InvalidConfig,
    ModelError,
    NotFitted,
    RecallTooLow,
    TrainingFailed,
    UnknownModel,
)
from topshelf.errors.requests import (
    BodyTooLarge,
    ControlNotInstalled,
    InvalidRequest,
    ItemNotFound,
    ModelNotFound,
    NotAllowed,
    NotAuthenticated,
    ProfileNotFound,
    ProfilingNotInstalled,
    RequestError,
    UserNotFound,
)
from topshelf.errors.root import DeliberateFault, SettingsError, TopshelfError
from topshelf.errors.services import ReaderRefused, ServiceError
from topshelf.errors.store import (
    BlobNotFound,
    EventsFull,
    FenceLost,
    GenerationIncomplete,
    GenerationNotFound,
    JobNotFound,
    LaterVersion,
    LockHeld,
    ModelOnHold,
    NightNotFound,
    NotEnoughRoom,
    NothingToRollBack,
    StoreError,
    StoreUnavailable,
    UnsuitableServer,
)
from topshelf.errors.work import (
    ChunkTaken,
    HookError,
    JobCancelled,
    JobDelayed,
    JobError,
    JobFailed,
    NightAtWork,
    NoticeUndelivered,
    TrackerError,
    TrackerUnavailable,
)

__all__ = [
    "ArtifactNotFound",
    "BlobNotFound",
    "BodyTooLarge",
    "CannotFoldIn",
    "ChunkTaken",
    "ControlNotInstalled",
    "CorruptArtifact",
    "CorruptBackup",
    "CorruptDataset",
    "DataError",
    "DatasetNotFound",
    "DeliberateFault",
    "EmptyData",
    "EventsFull",
    "FenceLost",
    "GateRefused",
    "GenerationIncomplete",
    "GenerationNotFound",
    "HookError",
    "InvalidConfig",
    "InvalidId",
    "InvalidRequest",
    "ItemNotFound",
    "JobCancelled",
    "JobDelayed",
    "JobError",
    "JobFailed",
    "JobNotFound",
    "LaterVersion",
    "LockHeld",
    "MissingColumn",
    "ModelError",
    "ModelNotFound",
    "ModelOnHold",
    "NightAtWork",
    "NightNotFound",
    "NotAllowed",
    "NotAuthenticated",
    "NotEnoughRoom",
    "NotFitted",
    "NothingToRollBack",
    "NoticeUndelivered",
    "ProfileNotFound",
    "ProfilingNotInstalled",
    "ReaderRefused",
    "RecallTooLow",
    "RequestError",
    "RunNotFound",
    "ServiceError",
    "SettingsError",
    "StoreError",
    "StoreUnavailable",
    "SystemNotEmpty",
    "TooManyRejects",
    "TopshelfError",
    "TrackerError",
    "TrackerUnavailable",
    "TrainingFailed",
    "UnknownModel",
    "UnreadableFile",
    "UnsuitableServer",
    "UserNotFound",
]
