"""HTTP requests."""

from topshelf.errors.root import TopshelfError


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
