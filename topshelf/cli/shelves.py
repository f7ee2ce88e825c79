"""Commands about what is live: status, one user's list, rollback and release."""

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topshelf.cli.application import app, console, print_json
from topshelf.cli.options import Json, ModelName
from topshelf.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

PANEL = "Shelves"


@app.command(rich_help_panel=PANEL)
def status(as_json: Json = False) -> None:
    """Say what is live, how old and how large it is, and what is running."""
    from store.connection import connect
    from store.events import EventLog
    from store.generations import Generations
    from store.jobs import Jobs
    from store.keys import Keys

    settings = Settings.from_environment()
    keys = Keys(settings.key_prefix)
    durable = connect(settings.durable_url.get_secret_value())
    generations = Generations(connect(settings.serving_url.get_secret_value()), keys)
    models = [_model_status(generations, model) for model in sorted(generations.models())]
    active = Jobs(durable, keys, settings.job_retention_days).active()
    waiting = EventLog(durable, keys, settings.events_limit).length()
    if as_json:
        print_json({"models": models, "jobs": [asdict(job) for job in active], "events_waiting": waiting})
        return
    if models:
        console.print(_table(models))
    else:
        console.print("nothing is live; publish a model with: topshelf pipeline MODEL")
    console.print(f"{len(active)} jobs under way, {waiting:,} events not drained yet")


@app.command(rich_help_panel=PANEL)
def recommend(
    model: ModelName,
    user: Annotated[str, typer.Argument(metavar="USER", help="A user id as in the data.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    category: Annotated[str | None, typer.Option(help="Only items of this category.")] = None,
    as_json: Json = False,
) -> None:
    """Ask the running reader for a user's list, and say where it came from."""
    from topshelf.cli.http import get
    from topshelf.cli.tables import listing
    from topshelf.local.addresses import api_url
    from topshelf.local.credentials import with_credentials

    settings, credentials = with_credentials(Settings.from_environment())
    answer = get(api_url(settings), credentials.read, "reco", model, user, k=k, category=category)
    source, age = answer.headers["X-Reco-Source"], answer.headers["X-Reco-Age"]
    if as_json:
        print_json({**answer.body, "source": source, "generation": answer.headers["X-Reco-Generation"]})
        return
    titles = _titles(settings, answer.body["items"])
    rows = [
        (place, item, title)
        for place, (item, title) in enumerate(zip(answer.body["items"], titles, strict=True), 1)
    ]
    console.print(listing(("", "item", "title"), rows))
    console.print(f"from {source}, {float(age):.0f} s old" if age else f"from {source}", highlight=False)


@app.command(rich_help_panel=PANEL)
def rollback(model: ModelName, as_json: Json = False) -> None:
    """Serve the previous generation again; nothing is published over it until `topshelf release`."""
    pointer = _generations().rollback(model)
    if as_json:
        print_json({"model": model, "live": str(pointer)})
        return
    console.print(
        f"{model}: generation {pointer} is live again; `topshelf release {model}` lets new ones through"
    )


@app.command(rich_help_panel=PANEL)
def release(model: ModelName, as_json: Json = False) -> None:
    """Lift the hold that a rollback set."""
    held = _generations().release(model)
    if as_json:
        print_json({"model": model, "released": held})
        return
    console.print(f"{model}: {'released' if held else 'was not held'}")


def _generations() -> Any:
    from store.connection import connect
    from store.generations import Generations
    from store.keys import Keys

    settings = Settings.from_environment()
    return Generations(connect(settings.serving_url.get_secret_value()), Keys(settings.key_prefix))


def _model_status(generations: Any, model: str) -> dict[str, Any]:
    layers = generations.layers(model)
    live, newest = (layers[0], layers[-1]) if layers else (None, None)
    return {
        "model": model,
        "generation": str(newest.pointer) if newest else "-",
        "age": _age(live.published) if live else None,
        "users": live.n_users if live else None,
        "items": live.n_items if live else None,
        "dataset": live.dataset if live else None,
        "delta_users": newest.n_users if newest and newest.base else None,
        "delta_age": _age(newest.published) if newest and newest.base else None,
        "overlap": newest.overlap if newest else None,
        "changed": newest.changed if newest else None,
        "search": live.search if live else None,
        "ef": live.ef if live else None,
        "recall": live.recall if live else None,
        "rules": live.parsed_rules if live else None,
        "held": "yes" if generations.held_since(model) else "",
    }


def _table(models: list[dict[str, Any]]) -> "Table":
    from topshelf.cli.tables import listing

    rows = [
        (
            model["model"],
            model["generation"] + (" held" if model["held"] else ""),
            model["age"],
            _users(model),
            _changed(model),
            model["dataset"],
        )
        for model in models
    ]
    return listing(("model", "live", "age", "users", "changed", "dataset"), rows)


def _users(model: dict[str, Any]) -> str:
    """Users of the base and, after a plus, those the delta has lists for."""
    if model["users"] is None:
        return ""
    newer = "" if model["delta_users"] is None else f" + {model['delta_users']:,}"
    return f"{model['users']:,}{newer}"


def _changed(model: dict[str, Any]) -> str:
    """Share of the users whose list the last publication changed; of a delta, of its own users."""
    if model["changed"] is None:
        return ""
    whose = "" if model["delta_users"] is None else f" of {model['delta_users']:,}"
    return f"{model['changed']:.1%}{whose}"


def _age(published: str) -> str:
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(published)
    return str(dt.timedelta(seconds=round(age.total_seconds())))


def _titles(settings: Settings, items: list[Any]) -> list[str]:
    """Titles where this machine holds the newest dataset; ids otherwise."""
    from topshelf.errors import DataError

    try:
        from interactions.datasets import Datasets

        dataset = Datasets(settings.data_dir / "datasets").latest()
    except (ImportError, DataError):
        return [str(item) for item in items]
    titles = dataset.titles()
    indices = [dataset.items.index_of(item) for item in items]
    return [str(item) if index is None else titles[index] for item, index in zip(items, indices, strict=True)]
