"""Models: what is live, what could be, and the way back."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from api.auth import Scope, requires
from api.errors import documented
from api.reader import Reader, reader_of
from api.schemas import (
    GenerationAnswer,
    GenerationsAnswer,
    LiveModelAnswer,
    LiveModels,
    PointerAnswer,
    ReleaseAnswer,
)
from api.snapshot import published_at
from topshelf.errors import ModelNotFound

router = APIRouter(prefix="/models", tags=["models"])

Name = Annotated[str, Path(description="a model that ever had a generation", examples=["als"])]


@router.get(
    "",
    summary="What is live",
    dependencies=[Depends(requires(Scope.read))],
    responses=documented(503),
)
def list_models(request: Request) -> LiveModels:
    """Every model that ever had a generation, with the one that is live."""
    reader = reader_of(request)
    return LiveModels(models=[_live(reader, name) for name in reader.generations.models()])


@router.get(
    "/{model_name}/generations",
    summary="Generations of a model",
    dependencies=[Depends(requires(Scope.read))],
    responses=documented(404, 503),
)
def list_generations(request: Request, model_name: Name) -> GenerationsAnswer:
    """Newest first; those that were swept away are gone."""
    reader = reader_of(request)
    _check_known(reader, model_name)
    found = [GenerationAnswer.model_validate(one) for one in reader.generations.list(model_name)]
    return GenerationsAnswer(model=model_name, generations=found)


@router.post(
    "/{model_name}/rollback",
    summary="Serve the generation before",
    dependencies=[Depends(requires(Scope.admin))],
    responses=documented(404, 409, 503),
)
async def rollback(request: Request, model_name: Name) -> PointerAnswer:
    """Drops the delta, else the base, and holds the model: nothing is published until it is released.

    Holds for the next answer of this process, and within a second in others.
    """
    reader = reader_of(request)
    await asyncio.to_thread(_check_known, reader, model_name)
    pointer = await asyncio.to_thread(reader.generations.rollback, model_name)
    await reader.live.refresh()
    return PointerAnswer(model=model_name, pointer=str(pointer))


@router.post(
    "/{model_name}/release",
    summary="Lift the hold of a rollback",
    dependencies=[Depends(requires(Scope.admin))],
    responses=documented(404, 503),
)
def release(request: Request, model_name: Name) -> ReleaseAnswer:
    """The next run may publish again."""
    reader = reader_of(request)
    _check_known(reader, model_name)
    return ReleaseAnswer(model=model_name, released=reader.generations.release(model_name))


def _check_known(reader: Reader, model: str) -> None:
    known = reader.generations.models()
    if model not in known:
        named = ", ".join(known) or "none yet"
        raise ModelNotFound(f"{model[:64]!r} never had a generation; those that had: {named}")


def _live(reader: Reader, name: str) -> LiveModelAnswer:
    pointer = reader.generations.pointer(name)
    generation = reader.generations.get(name, pointer.base) if pointer else None
    return LiveModelAnswer(
        model=name,
        pointer=str(pointer) if pointer else None,
        state=generation.state if generation else None,
        age_seconds=max(0.0, time.time() - published_at(generation)) if generation else None,
        dataset=generation.dataset if generation else None,
        artifact=generation.artifact if generation else None,
        n_users=generation.n_users if generation else None,
        n_items=generation.n_items if generation else None,
        hold=reader.generations.held_since(name) is not None,
    )
