"""Commands that bring data in."""

from pathlib import Path
from typing import Annotated

import typer

from topshelf.cli.application import app, console, error_console, print_json
from topshelf.cli.options import Json
from topshelf.settings import Settings

PANEL = "Data"


@app.command(rich_help_panel=PANEL)
def ingest(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A CSV, TSV or Parquet file, or a folder a preset knows.")
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            help="Known column names: movielens-100k, movielens-1m or kion; replaces the column options."
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Column of user ids; guessed from the header by default.")
    ] = None,
    item: Annotated[str | None, typer.Option(help="Column of item ids; guessed likewise.")] = None,
    timestamp: Annotated[
        str | None, typer.Option(help="Column of times; file order where there is none.")
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column of ratings, durations or counts.")] = None,
    timestamp_format: Annotated[
        str | None, typer.Option(help="Format of the times, as in %d.%m.%Y; ISO dates and epochs need none.")
    ] = None,
    user_id_type: Annotated[str, typer.Option(help="auto, int64 or string.")] = "auto",
    item_id_type: Annotated[str, typer.Option(help="auto, int64 or string.")] = "auto",
    user_id_max: Annotated[int | None, typer.Option(help="Largest user id that may exist.")] = None,
    items: Annotated[Path | None, typer.Option(help="File of item titles, categories and features.")] = None,
    users: Annotated[Path | None, typer.Option(help="File of user features.")] = None,
    reject_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of bad rows above which nothing is taken.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn interactions into an immutable dataset version; bad rows go to a rejects file, with a reason."""
    from interactions.columns import ITEM, USER
    from interactions.datasets import Datasets
    from interactions.ingest import ingest as run_ingest
    from interactions.mapping import ColumnMapping
    from topshelf.cli.step_display import step

    settings = Settings.from_environment(reject_share=reject_share)
    named = user or item or timestamp or weight or timestamp_format
    mapping = (
        ColumnMapping(user or USER, item or ITEM, timestamp, weight, timestamp_format)
        if named and not preset
        else None
    )
    with step("reading", error_console if as_json else console) as progress:
        report = run_ingest(
            Datasets(settings.data_dir / "datasets"),
            path,
            preset=preset,
            mapping=mapping,
            items_path=items,
            users_path=users,
            user_id_type=user_id_type,
            item_id_type=item_id_type,
            user_id_max=user_id_max,
            reject_share=settings.reject_share,
            progress=progress,
        )
    if as_json:
        print_json(
            {
                **report.dataset.manifest.model_dump(mode="json"),
                "reused": report.reused,
                "n_rows": report.n_rows,
                "rejects_path": report.rejects_path,
            }
        )
        return
    manifest = report.dataset.manifest
    console.print(
        f"dataset [bold]{manifest.version}[/]{' (was there before)' if report.reused else ''}: "
        f"{manifest.n_interactions:,} interactions, {manifest.n_users:,} users, {manifest.n_items:,} items, "
        f"up to {manifest.cut_off}",
        highlight=False,
    )
    if report.n_rejects:
        rejected = f"{report.n_rejects:,} of {report.n_rows:,} rows rejected, see {report.rejects_path}"
        console.print(rejected, markup=False, highlight=False, soft_wrap=True)


@app.command(rich_help_panel=PANEL)
def synth(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder the three CSV files are written to.")
    ],
    users: Annotated[int, typer.Option(min=1, help="How many users.")] = 962_179,
    items: Annotated[
        int | None, typer.Option(min=1, help="How many items; by default as many as suit the users.")
    ] = None,
    interactions: Annotated[
        int | None, typer.Option(min=1, help="How many interactions; 5.69 a user by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    as_json: Json = False,
) -> None:
    """Write a synthetic dataset of KION's shape, with tastes planted in it; read it with --preset kion."""
    from dataclasses import replace

    from interactions.kion_files import write_kion
    from interactions.synthetic import SyntheticShape, generate
    from topshelf.cli.step_display import step

    fitting = SyntheticShape.of_users(users, seed=seed)
    shape = replace(fitting, items=items or fitting.items, interactions=interactions or fitting.interactions)
    with step("making interactions", error_console if as_json else console) as progress:
        data = generate(shape)
        progress(0.5, "writing files")
        write_kion(data, folder)
        progress(1.0, "written")
    made = {"folder": folder, "users": users, "items": shape.items, "interactions": data.interactions.height}
    if as_json:
        print_json(made)
        return
    console.print(
        f"{made['interactions']:,} interactions written; now: topshelf ingest {folder} --preset kion"
    )
