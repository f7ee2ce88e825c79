"""Profiles of requests."""

import asyncio
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response

from api.auth import Scope, requires
from api.errors import documented
from api.profiling import Format, ProfiledRequests, Profiles
from api.schemas import ProfileAnswer, ProfilesAnswer
from topshelf.errors import ProfilingNotInstalled

router = APIRouter(prefix="/profiles", tags=["operation"], dependencies=[Depends(requires(Scope.admin))])

MEDIA_TYPES: dict[Format, str] = {
    "html": "text/html; charset=utf-8",
    "speedscope": "application/json",
    "text": "text/plain; charset=utf-8",
}


@router.get("", summary="The last profiles, newest first", responses=documented(503))
async def list_profiles(request: Request) -> ProfilesAnswer:
    """Requests are profiled by `TOPSHELF_PROFILE_EVERY`, or one by one: send `X-Topshelf-Profile: 1`.

    Profiles are kept by the process that took them; its answer names the id in `X-Topshelf-Profile-Id`.
    """
    kept = _profiles(request).newest_first()
    return ProfilesAnswer(profiles=[ProfileAnswer.model_validate(one) for one in kept])


@router.get(
    "/{profile_id}",
    summary="One profile",
    response_class=Response,
    responses={
        **documented(404, 422, 503),
        200: {
            "description": "HTML, JSON for speedscope.app, or text",
            "content": {
                "text/html": {},
                "text/plain": {},
                "application/json": {"schema": {"type": "object"}},
            },
        },
    },
)
async def show_profile(
    request: Request, profile_id: str, form: Annotated[Format, Query(alias="format")] = "html"
) -> Response:
    """Rendered when it is asked for."""
    text = await asyncio.to_thread(_profiles(request).render, profile_id, form)
    return Response(text, media_type=MEDIA_TYPES[form])


def _profiles(request: Request) -> Profiles:
    if not cast("ProfiledRequests", request.app.state.profiled).installed:
        raise ProfilingNotInstalled("pyinstrument is not part of this installation; install topshelf[watch]")
    return cast("Profiles", request.app.state.profiles)
