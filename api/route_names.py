"""What a request asks for, said without naming anybody: for reports and profiles."""

import re

from starlette.types import Scope

LIST_PREFIX = "/reco/"
LIST_ROUTE = "/reco/{model_name}/{user_id:path}"
UNROUTED = "none"
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"})


def route_of(scope: Scope) -> str:
    """The route's template, such as ``/reco/{model_name}/{user_id}``; ``none`` for what nobody routes."""
    template = getattr(scope.get("route"), "path", None)
    if template is None:
        # The hot route answers before anything is routed.
        path: str = scope["path"]
        hot = scope["method"] == "GET" and path.startswith(LIST_PREFIX) and path.count("/") > 2
        template = LIST_ROUTE if hot else UNROUTED
    return without_converters(template)


def method_of(scope: Scope) -> str:
    """The method asked with; ``other`` for one that no route takes, as anybody could make some up."""
    return scope["method"] if scope["method"] in METHODS else "other"


def without_converters(template: str) -> str:
    """``/items/{item_id:path}`` as a reader of reports knows it: ``/items/{item_id}``."""
    return re.sub(r":\w+}", "}", template)
