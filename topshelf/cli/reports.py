"""Checks that reports arrive."""

from dataclasses import asdict

from topshelf.cli.application import app, console, print_json
from topshelf.cli.options import Json
from topshelf.cli.services import PANEL
from topshelf.settings import Settings


@app.command(rich_help_panel=PANEL)
def report_test(*, as_json: Json = False) -> None:
    """Send one event to TOPSHELF_SENTRY_DSN, and say what the server answered."""
    from topshelf.reports.trial import report_on_purpose

    trial = report_on_purpose(Settings.from_environment())
    if as_json:
        print_json(asdict(trial))
        return
    lines = (
        f"sent event {trial.event} to {trial.address}, environment {trial.environment}",
        f"the server answered {trial.answer}",
    )
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
