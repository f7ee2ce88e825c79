"""Models, their configurations and their artifacts."""

from topshelf.errors.root import TopshelfError


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
