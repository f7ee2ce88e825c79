"""The command that shows what was measured of a model, with intervals and by group of users."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from topshelf.cli.application import app, console, print_json
from topshelf.cli.options import Json
from topshelf.errors import InvalidConfig, NotFitted
from topshelf.settings import Settings


@app.command(rich_help_panel="Jobs")
def metrics(
    name: Annotated[str, typer.Argument(metavar="ID", help="A job or an artifact.")],
    by: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Break down by `activity` or a user feature, as in --by age."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a model's metrics on the held-out part, each with its 95 % confidence interval, or by group."""
    from topshelf.cli.tables import listing, metrics_table

    measured, details = _find(name)
    groups: Mapping[str, Any] = details.get("groups") or {}
    if by is not None and by not in groups:
        raise InvalidConfig(f"{name} was not measured by {by!r}; by {', '.join(groups) or 'nothing'} it was")
    if as_json:
        print_json({"id": name, "metrics": measured, **details})
        return
    if by is not None:
        titled = {f"{group} ({values['users']:,.0f})": values for group, values in groups[by].items()}
        console.print(metrics_table(f"{name}, users in brackets", titled, first=by))
        return
    intervals: Mapping[str, Any] = details.get("intervals") or {}
    rows = [
        (metric, f"{value:,.0f}" if metric == "users" else f"{value:.4f}", _ends(intervals.get(metric)))
        for metric, value in measured.items()
    ]
    console.print(listing(("metric", "mean", "95 % interval"), rows))
    if groups:
        console.print(f"break it down with --by {', '.join(groups)}", style="dim", highlight=False)


def _find(name: str) -> tuple[Mapping[str, float], Mapping[str, Any]]:
    """The metrics of a job, or of an artifact where no job has this id, and the details."""
    from models.artifacts import Artifacts
    from topshelf.errors import ArtifactNotFound
    from workers.runtime import Runtime

    settings = Settings.from_environment()
    try:
        manifest = Artifacts(settings.data_dir / "artifacts").manifest(name)
    except ArtifactNotFound:
        job = Runtime(settings).jobs.get(name)
        if not job.metrics:
            raise NotFitted(f"nothing was measured of job {name}, it is {job.state}") from None
        return job.metrics, (job.result or {}).get("evaluation") or {}
    return manifest.metrics, manifest.extra.get("evaluation") or {}


def _ends(interval: Any) -> str:
    return f"{interval[0]:.4f} - {interval[1]:.4f}" if interval else ""
