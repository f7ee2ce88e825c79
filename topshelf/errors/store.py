"""What lives in Redis."""

from topshelf.errors.root import TopshelfError


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
