"""Files, events and dataset versions."""

from topshelf.errors.root import TopshelfError


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
