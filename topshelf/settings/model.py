"""What may be set, what it is where nothing is said, and what is wrong with what is given."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from topshelf.errors import SettingsError
from topshelf.settings import environment
from topshelf.settings.checks import Check, faults_of
from topshelf.settings.environment import Names, Tokens
from topshelf.settings.kinds import (
    QUEUES,
    TRACKERS,
    BasicAuthPassword,
    BasicAuthUser,
    Cron,
    Dsn,
    File,
    Folder,
    HttpUrl,
    HttpUrls,
    Level,
    Port,
    PortOrNone,
    Queues,
    ReadableUrl,
    RedisUrl,
    SigningSecret,
    TimeZone,
    Trackers,
)
from topshelf.settings.secrets import blotted, secrets_of


class Settings(BaseModel):
    """What an operator may set; each description is the line the README's table prints."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    data_dir: Folder = Field(
        Path(".topshelf"), description="datasets, artifacts, event segments, embedded Redis files and logs"
    )
    cache_dir: Folder = Field(
        Path(".cache/topshelf"), description="catalogues and neighbour artifacts a reader maps"
    )
    log_level: Level = Field("INFO", description="level of every log")
    log_format: Literal["text", "json"] = Field(
        "text", description="lines of text, or one JSON object a line with time, level, trace, job and model"
    )

    redis_port: Port = Field(
        6390, description="port of the embedded Redis, where no URL names another server"
    )
    serving_url: RedisUrl = Field(
        SecretStr(""),
        description="Redis that holds shelves, pointers and recent items; the embedded one where empty",
    )
    durable_url: RedisUrl = Field(
        SecretStr(""),
        description="Redis (append-only file on) of broker, jobs, events, schedule; serving_url where empty",
    )
    key_prefix: str = Field("ts:", description="what every key starts with; one prefix is one catalogue")

    api_host: str = Field("127.0.0.1", description="address the reader binds to")
    api_port: Port = Field(8000, description="port of the reader")
    api_processes: int = Field(1, ge=1, description="reader processes")
    cache_mb: int = Field(
        32, ge=0, description="memory for rows a reader has at hand, shared out among its processes; 0: none"
    )
    flower_host: str = Field("127.0.0.1", description="address Flower binds to")
    flower_port: Port = Field(5555, description="port of Flower")
    flower_user: BasicAuthUser = Field("topshelf", description="user of Flower's basic auth")
    flower_password: BasicAuthPassword = Field(
        SecretStr(""), description="password of Flower; made up by `up` where empty"
    )

    metrics_host: str = Field("127.0.0.1", description="address worker and exporter bind /metrics to")
    metrics_port: PortOrNone = Field(
        0, description="port of a worker's /metrics; 0: none, but 9541 under `up`"
    )
    exporter_port: Port = Field(9540, description="port of the exporter's /metrics")

    tokens_read: Tokens = Field((), description="bearer tokens that may read recommendations")
    tokens_events: Tokens = Field((), description="bearer tokens that may also send events")
    tokens_admin: Tokens = Field((), description="bearer tokens that may do everything")
    max_body_bytes: int = Field(1_000_000, ge=1_000, description="largest request body taken")

    sentry_dsn: Dsn = Field(
        SecretStr(""),
        description="where reader, workers and beat report what fails and how nights go; nowhere where empty",
    )
    sentry_environment: str = Field("production", description="environment of those reports")
    sentry_refused_seconds: float = Field(
        300,
        ge=0,
        description="refused requests are reported once in so long of a status, key and route; 0: never",
    )
    slow_request_seconds: float = Field(1.0, gt=0, description="a request that takes longer is reported")
    fault_users: bool = Field(
        False, description="whether users whose id is a multiple of 666 fail, to watch such a report arrive"
    )
    profile_every: int = Field(
        0, ge=0, description="one request in so many is profiled, at most 20 a second; 0: none"
    )

    k_store: int = Field(20, ge=1, le=200, description="items kept in a user's row")
    store_scores: bool = Field(
        False, description="whether each item's score is kept beside it, for GET /reco/…?scores=true"
    )
    users_per_bucket: int = Field(
        64, ge=1, le=500, description="users that share one Redis hash, fewer where the server wants that"
    )
    write_connections: int = Field(
        2, ge=1, le=32, description="connections a worker process writes rows over"
    )
    chunk_users: int = Field(10_000, ge=1, description="users scored by one precompute task")
    chunk_queue: Literal["", "gpu", "cpu", "io"] = Field(
        "", description="queue of every precompute task; where empty, the one its model is trained in"
    )
    memory_high_water: float = Field(
        0.9, gt=0, le=1, description="share of the serving Redis's maxmemory above which precompute waits"
    )
    room_wait_seconds: float = Field(
        1800, ge=0, description="how long precompute waits for room in Redis before its job fails"
    )
    recent_ttl_seconds: int = Field(30 * 86_400, ge=60, description="how long a user's recent items are kept")
    events_limit: int = Field(
        5_000_000, ge=1, description="undrained events above which POST /events answers 503"
    )
    job_retention_days: int = Field(30, ge=1, description="how long job records are kept")
    retire_after_seconds: int = Field(
        60, ge=1, description="how long a generation stays after it left the pointer"
    )

    search: Literal["auto", "exact", "approximate"] = Field(
        "auto",
        description="how lists are searched for; `auto` measures whether a graph pays and finds enough",
    )
    recall_floor: float = Field(
        0.95, gt=0, le=1, description="share of the exact lists that an approximate search must find"
    )
    rules_file: File = Field(
        None, description="JSON of what lists may hold: allow, block, categories, most_per_category"
    )

    models: Names = Field(
        ("popular", "popular_in_category", "item_knn", "als"),
        min_length=1,
        description="models the nightly run recomputes",
    )
    reject_share: float = Field(0.05, ge=0, le=1, description="share of bad rows above which an ingest fails")
    test_share: float = Field(
        0.2, gt=0, lt=1, description="end of each user's time line held out for the gate"
    )
    gate_tolerance: float = Field(
        0.02, ge=0, lt=1, description="share of the live configuration's NDCG@10 a candidate may lose"
    )
    min_overlap: float = Field(
        0.0, ge=0, le=1, description="smallest mean overlap of new and live lists the gate lets through"
    )
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="device models are trained on")
    seed: int = Field(0, ge=0, description="seed of every random choice")
    threads: int = Field(0, ge=0, description="threads per worker process; 0 shares the cores out")
    worker_processes: int = Field(2, ge=1, description="processes of a worker")
    queues: Queues = Field(QUEUES, min_length=1, description="queues a worker takes")

    nightly_cron: Cron = Field(
        "0 3 * * *", description="when the nightly pipeline starts; empty turns it off"
    )
    nightly_timezone: TimeZone = Field("UTC", description="time zone of the nightly cron")
    schedule_file: File = Field(
        None, description="TOML of schedules, in place of TOPSHELF_NIGHTLY_CRON and TOPSHELF_MODELS"
    )
    keep_datasets: int = Field(
        3, ge=0, description="newest dataset versions kept beside those in use; 0: all are kept"
    )
    keep_artifacts: int = Field(
        3, ge=0, description="newest artifacts of each model kept beside those in use; 0: all are kept"
    )
    webhook_urls: HttpUrls = Field((), description="addresses told of nightly runs: begun, ended, refused")
    webhook_secret: SigningSecret = Field(
        SecretStr(""), description="key the notices to webhook_urls are signed with; unsigned where empty"
    )
    webhook_timeout_seconds: float = Field(
        10, gt=0, le=60, description="how long one address may take to answer before it is told again later"
    )
    delta_seconds: float = Field(
        0, ge=0, description="how often who has new events gets new lists, between nightly runs; 0: never"
    )
    lease_seconds: int = Field(
        60, ge=1, description="how long a silent task keeps its work before it is re-sent"
    )
    reconcile_seconds: float = Field(
        15, gt=0, description="how often stalled work and old generations are looked for"
    )
    drain_seconds: float = Field(120, gt=0, description="how often events are drained into Parquet segments")
    task_limit_seconds: int = Field(6 * 3600, ge=60, description="hard limit of one task")

    trackers: Trackers = Field(
        TRACKERS, description="what runs are sent to, where its package is installed; empty for nothing"
    )
    sync_seconds: float = Field(300, gt=0, description="how often runs are sent to the trackers")
    sync_limit_seconds: int = Field(
        60, ge=1, description="how long one tracker may take at a time; the rest is sent later"
    )
    mlflow_uri: ReadableUrl = Field(
        SecretStr(""), description="MLflow's tracking URI; mlflow.db in the data folder where empty"
    )
    neptune_project: str = Field("topshelf/local", description="project runs are sent to, workspace/name")
    neptune_token: SecretStr = Field(
        SecretStr(""), description="API token of a Neptune server; without one runs are kept offline"
    )
    neptune_url: HttpUrl = Field(
        "", description="base URL of a self-hosted Neptune; the one in the token where empty"
    )

    _files: dict[SecretStr | Tokens, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _one_server_by_default(cls, raw: dict[str, Any]) -> dict[str, Any]:
        port = raw.get("redis_port") or cls.model_fields["redis_port"].default
        serving = raw.get("serving_url") or SecretStr(embedded_url(port))
        return raw | {"serving_url": serving, "durable_url": raw.get("durable_url") or serving}

    @field_validator("task_limit_seconds")
    @classmethod
    def _not_below_lease(cls, seconds: int, info: ValidationInfo) -> int:
        if seconds < info.data.get("lease_seconds", seconds):
            raise ValueError("must not be below TOPSHELF_LEASE_SECONDS")
        return seconds

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, *, checks: Sequence[Check] = (), **overrides: Any
    ) -> Self:
        """Read the settings from ``environ`` (the process's own by default).

        ``checks`` are what a service asks of them beside that; where some settings are unusable they see the
        others. ``overrides`` are field values that win over the environment; None leaves a field alone.

        Raises:
            SettingsError: naming every fault at once, a misspelt variable with the nearest right one.
        """
        raw, faults = environment.read(cls.model_fields, environ)
        raw.update({name: value for name, value in overrides.items() if value is not None})
        settings, unusable = cls._of_what_is_usable(raw)
        if faults := [*faults, *unusable, *faults_of(settings, checks)]:
            raise SettingsError(
                "the settings are not usable:\n" + "\n".join(f"  {fault}" for fault in faults)
            )
        given = {name for name, value in overrides.items() if value is not None}
        for name, path in environment.secret_files(cls.model_fields, environ).items():
            if name not in given and environment.text_of(getattr(settings, name)):
                settings._files[getattr(settings, name)] = path
        return settings

    @classmethod
    def _of_what_is_usable(cls, raw: Mapping[str, Any]) -> tuple[Self, list[str]]:
        """Settings without those that are not usable, and what is wrong with these."""
        faults: list[str] = []
        given = dict(raw)
        while given:
            try:
                return cls(**given), faults
            except ValidationError as error:
                problems = error.errors(include_input=False)
            faults += [environment.fault(problem["loc"], problem["msg"]) for problem in problems]
            bad = {problem["loc"][:1] for problem in problems}
            usable = {name: value for name, value in given.items() if (name,) not in bad}
            given = usable if len(usable) < len(given) else {}
        return cls(), faults

    def to_environment(self) -> dict[str, str]:
        """The variables that make a child process read these very settings.

        A secret that came from a file is named by that file, be it for another setting that has its value;
        one that did not stands in the clear.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return environment.variables_of(values, self._files)

    def without_secrets(self, text: str, *more: str) -> str:
        """``text`` with every secret of these settings, those within a URL too, and ``more``, blotted out."""
        known = secrets_of(tuple(getattr(self, name) for name in type(self).model_fields))
        return blotted(blotted(text, sorted(set(more) - {""}, key=len, reverse=True)), known)

    @property
    def embedded_redis(self) -> bool:
        """Whether no other server is named: both roles are on the embedded one."""
        own = embedded_url(self.redis_port)
        return self.serving_url.get_secret_value() == own == self.durable_url.get_secret_value()

    @cached_property
    def threads_per_process(self) -> int:
        """Threads each worker process may use: the setting, or an equal share of the cores."""
        return self.threads or max(1, (os.cpu_count() or 1) // self.worker_processes)


def embedded_url(port: int | str) -> str:
    """URL of the embedded Redis."""
    return f"redis://127.0.0.1:{port}/0"
