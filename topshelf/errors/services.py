"""Processes of ours, seen from outside."""

from topshelf.errors.root import TopshelfError


class ServiceError(TopshelfError):
    """Raised when a child process cannot be started or does not become ready."""

    key = "service_failed"


class ReaderRefused(ServiceError):
    """Raised when a running reader answers with an error; ``key`` is the one in its answer."""

    key = "reader_refused"

    def __init__(self, message: str, key: str = key) -> None:
        super().__init__(message)
        self.key = key
