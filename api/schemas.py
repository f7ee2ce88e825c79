"""The bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictStr,
    Tag,
)

from api.fields import Features, Id, Label, Moment

ONE, MANY = "one event", "many events"
"""Names pydantic gives the two forms of a body of events; no part of where an error is."""
MANY_USERS = 1_000
MANY_EVENTS = 1_000
SESSION_ITEMS = 1_000
LARGEST_WEIGHT = 3e38
"""Weights are kept as float32."""

ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["als"])]
Source = Literal["cache", "knn", "popular_in_category", "popular"]


class Body(BaseModel):
    """A request body; a field that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Recommendations(BaseModel):
    """The list of one user."""

    user_id: Id = Field(examples=[1])
    items: list[Id] = Field(description="distinct items, best first", examples=[[50, 181, 258]])
    scores: list[float | None] | None = Field(
        None,
        description="with `scores=true`: what the model gave each item; null where the item is not of the "
        "stored row, or scores are not stored (`TOPSHELF_STORE_SCORES`)",
    )


class ManyUsers(Body):
    """Users to recommend for in one call."""

    user_ids: list[Any] = Field(max_length=MANY_USERS, min_length=1, examples=[[1, 2, 3]])
    k: int | None = Field(None, ge=1, description="items for each; 10 by default")
    category: Label | None = Field(None, description="only items of this category")
    exclude: list[Id] = Field([], max_length=1_000, description="items nobody shall get")


class RowFault(BaseModel):
    """Why one of many users got no list."""

    error_key: str
    error_message: str


class UserResult(BaseModel):
    """The answer for one of many users: a list, or why there is none."""

    user_id: Any
    items: list[Id] = []
    source: Source | None = None
    error: RowFault | None = None


class ManyRecommendations(BaseModel):
    """One result for each user asked for, in their order."""

    results: list[UserResult]


class SessionItems(Body):
    """What somebody without an account has looked at, oldest first."""

    items: list[Id] = Field(max_length=SESSION_ITEMS, examples=[[50, 181]])
    k: int | None = Field(None, ge=1, description="items wanted; 10 by default")
    category: Label | None = Field(None, description="only items of this category")
    exclude: list[Id] = Field([], max_length=1_000, description="items that shall not be in the list")


class SessionRecommendations(BaseModel):
    """The list for a session."""

    items: list[Id]
    source: Source


class SimilarItems(BaseModel):
    """Items that the same people like, nearest first."""

    item_id: Id
    items: list[Id]
    scores: list[float]


class ItemBody(Body):
    """What is to hold for an item from now on; a field left out is left alone, `hidden` aside."""

    categories: list[Label] | None = Field(None, max_length=100, examples=[["Comedy"]])
    features: Features | None = Field(None, examples=[{"year": 1995}])
    hidden: bool = Field(False, description="a hidden item is on nobody's list")


class ItemState(BaseModel):
    """What was set for an item here; categories of the dataset hold where none were set."""

    item_id: Id
    hidden: bool
    categories: list[str] | None = None
    features: dict[str, Any] | None = None


class UserBody(Body):
    """What is known about a user; a field left out is left alone."""

    categories: list[Label] | None = Field(None, max_length=100, description="favourite first")
    features: Features | None = None


class UserState(BaseModel):
    """What is known about a user."""

    user_id: Id
    categories: list[str] = []
    features: dict[str, Any] = {}


class EventBody(Body):
    """One thing a user did with an item."""

    user_id: Id
    item_id: Id
    timestamp: Moment | None = Field(
        None, description="ISO 8601 (UTC where no zone is named) or seconds since 1970; now by default"
    )
    weight: float = Field(1.0, ge=-LARGEST_WEIGHT, le=LARGEST_WEIGHT)
    event_id: Annotated[StrictStr, Field(min_length=1, max_length=128)] | None = Field(
        None, description="the same id sent again counts once; made up where left out"
    )


class ManyEvents(Body):
    """Several events, taken all or none."""

    events: list[EventBody] = Field(min_length=1, max_length=MANY_EVENTS)


def _number_of_events(body: Any) -> str:
    return MANY if isinstance(body, dict) and "events" in body else ONE


Events = Annotated[
    Annotated[EventBody, Tag(ONE)] | Annotated[ManyEvents, Tag(MANY)], Discriminator(_number_of_events)
]
"""One event, or several under ``events``."""


class EventsTaken(BaseModel):
    """The events are durable; these are their ids, in the order sent."""

    accepted: int
    event_ids: list[str]


class LiveModelAnswer(BaseModel):
    """What one model serves."""

    model: str
    pointer: str | None = Field(
        description="live generation, `base[:delta]`; null when nothing was published"
    )
    state: str | None
    age_seconds: float | None = Field(description="since the base was published")
    dataset: str | None
    artifact: str | None
    n_users: int | None
    n_items: int | None
    hold: bool = Field(description="a rollback holds the model until it is released")


class LiveModels(BaseModel):
    """Every model that ever had a generation."""

    models: list[LiveModelAnswer]


class GenerationAnswer(BaseModel):
    """One generation of a model."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")

    id: str
    state: str
    layout: str
    dataset: str
    artifact: str
    n_users: int
    n_items: int
    users_written: int
    n_chunks: int
    chunks_done: int
    k_store: int
    fence: int
    cut_off: str
    created: str
    published: str
    replaces: str
    error: str
    base: str = Field(description="of a delta, the generation it lies over; empty for a base")
    histories: str = Field(description="dataset version its users and their histories come from")
    overlap: float | None = Field(
        description="mean share of a list kept of what it replaced; null where that was nothing"
    )
    changed: float | None = Field(description="share of the users compared who have another list")
    search: str = Field(description="how its lists were found: exact, graph, or a model's own index")
    ef: int = Field(description="nodes kept in sight by the search of a graph; 0 without one")
    recall: float | None = Field(
        description="share of the exact lists that its search finds, over a sample; null where it is exact"
    )
    rules: dict[str, Any] = Field(
        validation_alias="parsed_rules", description="what its lists may hold; empty where that is everything"
    )


class GenerationsAnswer(BaseModel):
    """The generations of a model, newest first."""

    model: str
    generations: list[GenerationAnswer]


class PointerAnswer(BaseModel):
    """Where a model points after a rollback."""

    model: str
    pointer: str


class ReleaseAnswer(BaseModel):
    """Whether there was a hold to lift."""

    model: str
    released: bool


class JobBody(Body):
    """Work for the workers."""

    kind: Literal["train", "precompute", "delta", "pipeline"] = Field(
        description="`precompute` makes lists anew for everybody, `delta` for who has new events only"
    )
    model: ModelName
    params: dict[str, Any] = Field(
        {},
        description=(
            "`config` (hyper-parameters), `dataset`, `artifact`; the worker chooses the rest, and for a "
            "`delta` everything; `profile: true` has the workers keep a profile of each stage"
        ),
    )
    job_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = Field(
        None, description="the same id sent again is the same job; made up where left out"
    )


class JobAnswer(BaseModel):
    """The durable record of a job."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")

    id: str
    kind: str
    model: str
    state: str
    stage: str
    progress: float = Field(description="share of the whole job, 0 to 1")
    message: str
    params: dict[str, Any] | None = None
    dataset: str | None = None
    artifact: str | None = None
    generation: str | None = None
    fence: int | None = None
    metrics: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    attempts: int
    created: str | None = None
    started: str | None = None
    finished: str | None = None
    updated: str | None = None
    trace: str = Field("", description="the `X-Request-ID` it was asked for with; its log lines carry it")


class JobsAnswer(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobAnswer]


class ProfileAnswer(BaseModel):
    """One request that was profiled."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    at: datetime
    method: str
    route: str
    milliseconds: float
    armed_by: Literal["admin", "sampling"]


class ProfilesAnswer(BaseModel):
    """The profiles this process keeps, newest first."""

    profiles: list[ProfileAnswer]


class Health(BaseModel):
    """How the reader is."""

    status: Literal["ok", "ready", "stale", "starting"]
    models: dict[str, str] = Field({}, description="live pointer of each model")
    stale_seconds: float | None = Field(None, description="since Redis last answered; null while it does")
