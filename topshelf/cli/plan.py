"""The command that says what a size costs before anything runs."""

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topshelf.cli.application import app, console, print_json
from topshelf.cli.options import Json
from topshelf.errors import StoreError
from topshelf.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from store.allocation import FieldBytes, Server
    from workers.plan import Plan, Workload

UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
LARGEST = 10**12
UUID_BYTES = 36
PATIENCE_SECONDS = 1.0
ASKED = (
    "users", "items", "k_store", "factors", "neighbours", "interactions", "scores",
    "processes", "cores", "device",
)  # fmt: skip
"""What of a workload an answer repeats."""


def amount(text: str) -> int:
    """A whole number such as 1_000_000, 1.2k, 50M or 2B."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmb]?)", text.strip().lower().replace("_", "").replace(",", ""))
    number = float(found[1]) * UNITS[found[2]] if found else 0
    if not 1 <= number <= LARGEST or number != int(number):
        raise typer.BadParameter(f"{text!r} is no amount; write 962179, 1_000_000, 1.2k, 50M or 2B")
    return int(number)


@app.command(rich_help_panel="Shelves")
def plan(
    users: Annotated[int, typer.Option(parser=amount, metavar="AMOUNT", help="Users: 962179, 1.2k, 50M.")],
    items: Annotated[int, typer.Option(parser=amount, metavar="AMOUNT", help="Items of the catalogue.")],
    k: Annotated[
        int | None,
        typer.Option(
            "-k", "--k", min=1, max=200, help="Items kept for each user; TOPSHELF_K_STORE by default."
        ),
    ] = None,
    factors: Annotated[int, typer.Option(min=1, help="Length of the model's vectors.")] = 64,
    neighbours: Annotated[
        int,
        typer.Option(
            min=0, help="Neighbours kept of each item for the online kNN; item_knn alone has them, 100."
        ),
    ] = 0,
    interactions: Annotated[
        float, typer.Option(min=0, help="Interactions of a user, on average; for the memory of workers.")
    ] = 20.0,
    user_ids: Annotated[
        str, typer.Option(help="int (the numbers 1 to USERS), uuid, or how many bytes an id of yours has.")
    ] = "int",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes on all hosts; TOPSHELF_WORKER_PROCESSES.")
    ] = None,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Cores those have together; as many as processes by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda: one GPU for each worker process.")] = "cpu",
    scores: Annotated[
        bool | None, typer.Option(help="Whether scores are stored; TOPSHELF_STORE_SCORES by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a nightly run of some size takes: bytes in Redis, time, memory of a worker, network.

    Nothing is started. Bytes in Redis are arithmetic over what Redis allocates, and hold within 10 %; a Redis
    that is configured and answers is asked for its allocator and limits. Times are measured ones, scaled up:
    see what the output says they assume.

    Example: topshelf plan --users 50M --items 1M --k 10 --workers 16
    """
    from workers.plan import Workload
    from workers.plan import plan as work_out

    settings = Settings.from_environment(k_store=k, store_scores=scores, worker_processes=workers)
    if device not in {"cpu", "cuda"}:
        raise typer.BadParameter(f"{device!r} is neither cpu nor cuda", param_hint="--device")
    work = Workload(
        users=users,
        items=items,
        k_store=settings.k_store,
        factors=factors,
        neighbours=neighbours,
        interactions=round(users * interactions),
        field=_field(user_ids, users),
        scores=settings.store_scores,
        processes=settings.worker_processes,
        cores=cores or settings.worker_processes,
        device=device,
        users_per_bucket=settings.users_per_bucket,
        chunk_users=settings.chunk_users,
        server=_server(settings),
    )
    planned = work_out(work)
    if as_json:
        print_json(_answer(work, planned))
        return
    console.print(_table(work, planned))
    for assumption in _assumptions(work):
        console.print(assumption, style="dim", markup=False, highlight=False)


def _server(settings: Settings) -> "Server":
    """The allocator and limits of the Redis that is configured; the usual ones where it does not answer."""
    from store.allocation import Server
    from store.compactness import read_limits
    from store.connection import allocator_of, connect

    with connect(
        settings.serving_url.get_secret_value(), timeout_seconds=PATIENCE_SECONDS, retries=0
    ) as client:
        try:
            return Server(allocator_of(client), read_limits(client))
        except StoreError:
            return Server()


def _field(user_ids: str, users: int) -> "FieldBytes":
    from store.allocation import FieldBytes, text_entry

    if user_ids == "int":
        return FieldBytes.numbers(users)
    length = UUID_BYTES if user_ids == "uuid" else int(user_ids) if user_ids.isdigit() else 0
    if not 0 < length <= 1_000:
        raise typer.BadParameter(
            f"{user_ids!r} is neither int, uuid nor a number of bytes up to 1000", param_hint="--user-ids"
        )
    return FieldBytes(length, text_entry(length))


def _answer(work: "Workload", planned: "Plan") -> dict[str, Any]:
    generation = planned.generation
    return {
        **{name: getattr(work, name) for name in ASKED},
        "allocator": work.server.allocator,
        "redis_bytes": {**asdict(generation), "total": generation.total, "peak": planned.peak_bytes},
        "bytes_per_user": round(generation.total / work.users, 2),
        "buckets": planned.n_buckets,
        "chunks": planned.n_chunks,
        "scoring_seconds": round(planned.scoring_seconds, 1),
        "whole_seconds": round(planned.whole_seconds, 1),
        "writing_seconds": round(planned.writing_seconds, 1),
        "seconds": round(planned.seconds, 1),
        "worker_process_bytes": planned.process_bytes,
        "network_bytes": planned.network_bytes,
        "assumptions": _assumptions(work),
    }


def _table(work: "Workload", planned: "Plan") -> "Table":
    from topshelf.cli.tables import listing

    generation = planned.generation
    scored_by = f"{work.processes} GPUs" if work.device == "cuda" else f"{work.cores} cores"
    whole = [("scoring, items of one length", duration(planned.whole_seconds), "nothing can be left out")]
    if work.device == "cuda":
        whole = []
    rows = [
        ("Redis: rows", size(generation.rows), f"{work.users:,} users x {work.k_store} items"),
        ("Redis: scores, ends of rows", size(generation.overflow), "a second hash for each bucket"),
        ("Redis: keys", size(generation.keys), f"{planned.n_buckets:,} buckets"),
        ("Redis: catalogue", size(generation.catalog), f"{work.items:,} items"),
        ("Redis: neighbours", size(generation.neighbours), f"{work.neighbours} of each item"),
        ("Redis: bitmap, leases, record", size(generation.bookkeeping), f"{planned.n_chunks:,} chunks"),
        (
            "Redis: one generation",
            size(generation.total),
            f"{generation.total / work.users:.1f} bytes a user",
        ),
        ("Redis: peak", size(planned.peak_bytes), "live, previous and the one being built"),
        ("scoring", duration(planned.scoring_seconds), f"exact, {scored_by}"),
        *whole,
        ("writing", duration(planned.writing_seconds), "one Redis, while the next are scored"),
        ("both", duration(planned.seconds), "from the first chunk to the last"),
        ("memory of a worker process", size(planned.process_bytes), f"{work.processes} of them"),
        ("network", size(planned.network_bytes), "to Redis"),
    ]
    return listing(("what", "takes", "for"), [row for row in rows if row[1] != "0 B"])


def _assumptions(work: "Workload") -> list[str]:
    if work.device == "cuda":
        scoring = "Scoring on a GPU: what is wanted of one H200 per process, not measured."
    else:
        scoring = (
            f"Scoring: exact top-{work.k_store}, {work.factors} factors, cores like the benchmark's, "
            "items' vectors of different lengths as of als; a graph may be quicker where they are not."
        )
    redis = (
        f"Redis: {work.server.limits.name}s, allocated by {work.server.allocator}; "
        "the append-only file, buffers and fragmentation come on top."
    )
    return [scoring, redis]


def size(n_bytes: int) -> str:
    """Bytes as a person reads them."""
    amount_left = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount_left < 999.5:
            return f"{amount_left:.3g} {unit}"
        amount_left /= 1000
    return f"{amount_left:,.1f} TB"


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.3g} min" if seconds < 5_400 else f"{seconds / 3600:.3g} h"
