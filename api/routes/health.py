"""Health and metrics: open to everybody, and free of secrets."""

from fastapi import APIRouter, Request, Response

from api.errors import documented, error_answer
from api.metrics import CONTENT_TYPE
from api.reader import Reader, reader_of
from api.schemas import Health
from topshelf.errors import ServiceError, StoreUnavailable

router = APIRouter(tags=["health"])


@router.get("/health", summary="What this reader serves")
async def health(request: Request) -> Health:
    """Answers 200 as long as the process lives; `status` says how well it is."""
    reader = reader_of(request)
    away = reader.circuit.away_seconds
    well = away is None and not reader.live.lost
    status = "starting" if not reader.live.started else "ok" if well else "stale"
    return Health(status=status, models=_pointers(reader), stale_seconds=away)


@router.get("/health/live", summary="Whether the process lives")
async def live() -> Health:
    """Answers 200 as long as the process lives."""
    return Health(status="ok")


@router.get(
    "/health/ready",
    summary="Whether this reader should get requests",
    responses={
        503: documented(503)[503]
        | {"description": "Redis is away or lost what is live, or nothing is loaded yet"}
    },
    response_model=Health,
)
async def ready(request: Request) -> Health | Response:
    """503 while Redis is away; lists are still answered, from what the reader holds."""
    reader = reader_of(request)
    away = reader.circuit.away_seconds
    if not reader.live.following:
        return error_answer(503, ServiceError.key, "this reader no longer follows what is live; restart it")
    if not reader.live.started:
        return error_answer(503, StoreUnavailable.key, "nothing is loaded yet")
    if away is not None:
        message = f"Redis has not answered for {away:.1f} s; lists come from what the reader holds"
        return error_answer(503, StoreUnavailable.key, message)
    if reader.live.lost:
        message = f"the serving Redis has lost {', '.join(sorted(reader.live.lost))}; stock it again"
        return error_answer(503, StoreUnavailable.key, message)
    return Health(status="ready", models=_pointers(reader))


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """Requests, latencies, sources and ages of generations: of this process, or of all added up."""
    reader = reader_of(request)
    return Response(reader.metrics.render(reader.ages_seconds()), media_type=CONTENT_TYPE)


def _pointers(reader: Reader) -> dict[str, str]:
    return {name: str(model.pointer) for name, model in reader.live.snapshot.models.items()}
