"""What a report tells of a request: its route, its model and a hash of the user, but nobody's name."""

from typing import cast

from starlette.types import Scope

from api.reader import Reader
from api.route_names import UNROUTED, method_of, route_of
from api.snapshot import LiveModel
from topshelf.errors import DeliberateFault
from topshelf.logs import current_trace
from topshelf.reports import Place


def report_failure(scope: Scope, error: Exception) -> None:
    """Report an error nobody expects."""
    user = str(error.user) if isinstance(error, DeliberateFault) else _user(scope)
    _reader(scope).reports.failed(error, _place(scope), user=user)


def report_refusal(scope: Scope, status: int, key: str, message: str) -> None:
    """Report, now and then, that a request was answered with an error anybody may expect."""
    reports = _reader(scope).reports
    if not reports.reports_refusals:
        return
    place = _place(scope)
    if place.name.endswith(f" {UNROUTED}"):
        under = _first_part(scope)
        message = f"there is nothing under {under}" if status == 404 else f"{message}, under {under}"
    reports.refused(status, key, message, place, user=_user(scope))


def report_slow(scope: Scope, seconds: float) -> None:
    """Report a request that took long."""
    _reader(scope).reports.slow(_place(scope), seconds, user=_user(scope))


def place_of(route: str, model: LiveModel | None) -> Place:
    """A route as it was asked for of a model."""
    trace = current_trace()
    tags = {"route": route, "trace": trace} if trace else {"route": route}
    if model is not None:
        tags |= {"model": model.name, "generation": str(model.pointer)}
    return Place(route, tags)


def _place(scope: Scope) -> Place:
    models = _reader(scope).live.snapshot.models
    # Of a name that nobody serves no tag is made: whoever asks could make up any number.
    model = models.get(scope.get("path_params", {}).get("model_name", ""))
    return place_of(f"{method_of(scope)} {route_of(scope)}", model)


def _user(scope: Scope) -> str:
    return str(scope.get("path_params", {}).get("user_id", ""))


def _reader(scope: Scope) -> Reader:
    return cast("Reader", scope["app"].state.reader)


def _first_part(scope: Scope) -> str:
    """As much of a path as tells a scanner from a misspelt client, and names no user."""
    return f"/{scope['path'].split('/')[1][:40]}"
