"""Commands about training runs: the table of all, and charts that compare some."""

import datetime as dt
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topshelf.cli.application import Commands, app, console, print_json
from topshelf.cli.options import Json
from topshelf.settings import Settings

if TYPE_CHECKING:
    from workers.tracking import Run, Runs

runs_app = typer.Typer(
    cls=Commands, invoke_without_command=True, help="List training runs, or draw some with `runs plot`."
)
app.add_typer(runs_app, name="runs", rich_help_panel="Jobs")


@runs_app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="Only runs of this model.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most, newest first.")] = 20,
    hyperparam: Annotated[
        list[str] | None,
        typer.Option("--hyperparam", metavar="NAME", help="Show this one, as in lr; may be repeated."),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="Every field in a column, whatever the width; try `| less -S`.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List training runs with their hyper-parameters, times and metrics."""
    if context.invoked_subcommand is not None:
        return
    from topshelf.cli.run_tables import narrow_table, print_wide, wide_table

    found = _runs().list(limit=limit, model=model)
    if as_json:
        print_json([_document(run) for run in found])
    elif not found:
        console.print("no runs; there is one after: topshelf train MODEL")
    elif wide:
        print_wide(wide_table(found, hyperparam))
    else:
        console.print(narrow_table(found, hyperparam))
        console.print("every field: topshelf runs --wide; charts: topshelf runs plot ID ID", style="dim")


@runs_app.command()
def plot(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Runs as `topshelf runs` names them.")],
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="The picture to write.")] = Path("runs.png"),
    as_json: Json = False,
) -> None:
    """Draw MAP@10, MRR@10, Precision@10 and Recall@10 of chosen runs into one PNG."""
    from topshelf.cli.run_charts import draw

    runs = _runs()
    if out.suffix.lower() != ".png":
        raise typer.BadParameter(f"the picture is a PNG: --out {out.with_suffix('.png')}")
    draw([runs.get(run_id) for run_id in dict.fromkeys(ids)], out)
    if as_json:
        print_json({"file": str(out), "runs": ids})
        return
    console.print(f"the metrics of {len(set(ids))} runs are in {out}", soft_wrap=True, highlight=False)


def _runs() -> "Runs":
    from workers.tracking import Runs

    return Runs(Settings.from_environment().data_dir / "runs")


def _document(run: "Run") -> dict[str, Any]:
    return {
        "id": run.id,
        "created": dt.datetime.fromtimestamp(run.created, dt.UTC).isoformat(timespec="seconds"),
        "monitoring_seconds": round(run.last_seen - run.created, 3),
        "model": run.model,
        "state": run.state,
        "failed": run.state in {"failed", "cancelled"},
        "failure": run.failure or None,
        "fields": run.fields,
        "series": {
            name: [[point.step, point.value if math.isfinite(point.value) else None] for point in points]
            for name, points in run.series.items()
        },
    }
