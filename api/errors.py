"""The one shape of every error answer, and which error answers with which status."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.reporting import report_failure, report_refusal
from api.schemas import MANY, ONE
from topshelf.errors import (
    EventsFull,
    GenerationNotFound,
    JobNotFound,
    LockHeld,
    ModelOnHold,
    NotAuthenticated,
    NothingToRollBack,
    RequestError,
    StoreError,
    StoreUnavailable,
    TopshelfError,
)

Location = Sequence[str | int]

RETRY_SECONDS = "5"

STATUS_OF: dict[type[TopshelfError], int] = {
    EventsFull: 503,
    GenerationNotFound: 404,
    JobNotFound: 404,
    LockHeld: 409,
    ModelOnHold: 409,
    NothingToRollBack: 409,
}

logger = logging.getLogger(__name__)


class Fault(BaseModel):
    """One thing that is wrong with a request, or with the service."""

    error_key: str = Field(description="stable name of the error", examples=["model_not_found"])
    error_message: str = Field(description="what went wrong and what to do")
    error_loc: list[str | int] | None = Field(
        None, description="where in the request", examples=[["query", "k"]]
    )


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    errors: list[Fault]


SCHEMAS = "#/components/schemas/"

DESCRIPTIONS = {
    401: "no token, or a wrong one",
    403: "the token's scope is too narrow",
    404: "no such model, user, item, job, generation or profile",
    409: "not possible in the present state",
    413: "the body is too large",
    422: "a parameter or the body does not fit",
    503: "the store cannot be reached or takes no more, or what this takes is not installed",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may fail with these statuses, besides 401 and 403.

    They refer to the schema instead of naming the model: FastAPI would make a validator of each, 80 in all,
    at every start.
    """
    content = {"application/json": {"schema": {"$ref": SCHEMAS + ErrorAnswer.__name__}}}
    return {
        status: {"content": content, "description": DESCRIPTIONS[status]}
        for status in sorted({401, 403, *statuses})
    }


def error_schemas() -> dict[str, Any]:
    """The schemas that :func:`documented` refers to, by name."""
    schema = ErrorAnswer.model_json_schema(ref_template=SCHEMAS + "{model}")
    return {**schema.pop("$defs"), ErrorAnswer.__name__: schema}


def invalid(faults: Sequence[tuple[Location, str]]) -> RequestValidationError:
    """A 422 for faults that only the live catalogue can tell: (where, what) each."""
    return RequestValidationError([{"loc": tuple(loc), "msg": message} for loc, message in faults])


def error_answer(
    status: int,
    key: str,
    message: str,
    loc: Location | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An answer with a single error."""
    fault = {"error_key": key, "error_message": message, "error_loc": list(loc) if loc else None}
    return JSONResponse({"errors": [fault]}, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Make ``app`` answer every error in the one shape."""
    app.add_exception_handler(TopshelfError, _on_own_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_own_error(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, StoreUnavailable):
        logger.info("%s %s: %s", request.method, request.url.path, error)
        # The text of the driver names hosts and ports, which are nobody's business outside.
        message = "the store cannot be reached; try again in a few seconds"
        return _refusal(request, 503, error.key, message, headers={"Retry-After": RETRY_SECONDS})
    if isinstance(error, RequestError):
        headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, NotAuthenticated) else None
        return _refusal(request, error.status, error.key, str(error), headers=headers)
    if isinstance(error, TopshelfError):
        for kind, status in STATUS_OF.items():
            if isinstance(error, kind):
                headers = {"Retry-After": RETRY_SECONDS} if status == 503 else None
                return _refusal(request, status, error.key, str(error), headers=headers)
    if isinstance(error, StoreError):
        logger.error("%s %s: %s", request.method, request.url.path, error)
        report_failure(request.scope, error)
        return error_answer(
            503, error.key, "the store refused; see the reader's log", headers={"Retry-After": RETRY_SECONDS}
        )
    return await _on_unexpected(request, error)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    faults = [
        {
            "error_key": "request_invalid",
            "error_message": str(problem["msg"]).removeprefix("Value error, "),
            "error_loc": [part for part in problem["loc"] if part not in {ONE, MANY}],
        }
        for problem in problems[:100]
    ]
    if faults:
        where = ".".join(map(str, faults[0]["error_loc"]))
        report_refusal(request.scope, 422, "request_invalid", f"{where}: {faults[0]['error_message']}")
    return JSONResponse({"errors": faults}, status_code=422)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == 404:
        message = f"there is nothing at {request.url.path}; see /docs"
        return _refusal(request, 404, "route_not_found", message)
    if status == 405:
        message = f"{request.method} is not possible at {request.url.path}; see /docs"
        return _refusal(request, 405, "method_not_allowed", message, headers=headers)
    phrase = HTTPStatus(status).phrase
    return _refusal(request, status, phrase.lower().replace(" ", "_"), phrase, headers=headers)


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    report_failure(request.scope, error)
    return error_answer(500, "internal_error", "something went wrong here; it was logged")


def _refusal(
    request: Request, status: int, key: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    report_refusal(request.scope, status, key, message)
    return error_answer(status, key, message, headers=headers)
