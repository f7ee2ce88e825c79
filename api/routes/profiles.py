"""Profiles of requests."""

import asyncio
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Query, Request, Response

from api.auth import Scope, requires
from api.errors import documented
from api.profiling import Profiles
from api.schemas import ProfileAnswer, ProfilesAnswer

router = APIRouter(prefix="/profiles", tags=["profiles"], dependencies=[Depends(requires(Scope.admin))])

MEDIA_TYPES = {"html": "text/html", "speedscope": "application/json", "text": "text/plain"}
RENDERED = {
    "text/html": {"schema": {"type": "string"}},
    "application/json": {"schema": {"type": "object"}},
    "text/plain": {"schema": {"type": "string"}},
}


@router.get("", summary="Profiles, newest first", responses=documented(503))
async def list_profiles(request: Request) -> ProfilesAnswer:
    """The last 20 of the process that answers.

    A request with `X-Topshelf-Profile: 1` and an admin's token is profiled; the answer's
    `X-Topshelf-Profile-Id` names its profile. `TOPSHELF_PROFILE_EVERY` profiles one request in so many.
    """
    found = [ProfileAnswer.model_validate(profile) for profile in _profiles(request).newest_first()]
    return ProfilesAnswer(profiles=found)


@router.get(
    "/{profile_id}",
    summary="One profile",
    response_class=Response,
    responses={**documented(404, 422, 503), 200: {"content": RENDERED}},
)
async def get_profile(
    request: Request,
    profile_id: str,
    format: Annotated[  # noqa: A002 -- the parameter's name
        Literal["html", "speedscope", "text"],
        Query(description="a page, JSON for https://www.speedscope.app, or text"),
    ] = "html",
) -> Response:
    """Where the time of one request went; rendered when asked for."""
    profile = _profiles(request).get(profile_id)
    content = await asyncio.to_thread(profile.render, format)
    return Response(content, media_type=MEDIA_TYPES[format])


def _profiles(request: Request) -> Profiles:
    return cast("Profiles", request.app.state.profiles)
