"""The command of the polling bot."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topshelf.cli.application import OTHER_ERROR, app, console, error_console, print_json
from topshelf.cli.options import Json, Token, Url
from topshelf.cli.readers import reader_at

if TYPE_CHECKING:
    from rich.console import Console

    from topshelf.bot.polling import Bot

PANEL = "Services"


@app.command(rich_help_panel=PANEL)
def bot(
    users: Annotated[
        str | None, typer.Option("--users", metavar="FIRST-LAST", help="A range of users, as in 1-943.")
    ] = None,
    users_file: Annotated[
        Path | None, typer.Option("--users-file", metavar="FILE", help="Users, an id a line.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="A model, several times for several; all live ones."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, help="Requests a second; as many as come through.")
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", min=1, max=10_000)] = 16,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0.1, help="End after so long.")] = None,
    requests: Annotated[
        int | None, typer.Option("--requests", "-n", min=1, help="End after that many.")
    ] = None,
    k: Annotated[int | None, typer.Option("-k", "--k", min=1, help="Items a list.")] = None,
    profile: Annotated[
        int,
        typer.Option("--profile", metavar="N", min=0, help="Profile one request in N; 1: each."),
    ] = 0,
    timeout: Annotated[float, typer.Option("--timeout", min=0.01, help="Seconds an answer may take.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of users.")] = 0,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Poll the running reader for lists and say how it bears it: rates, statuses, sources, latencies.

    Without --rate every connection asks again as soon as it was answered. With it requests are sent when they
    are due, whatever the answers before them do, and a latency counts from that moment: what had to queue is
    seen. Without --seconds and --requests it runs until Ctrl-C. The exit code is 1 where something failed (a
    5xx, a 429, a timeout, a broken or refused connection) or nothing was answered with success; other 4xx are
    counted only, for users in a file may be unknown.
    """
    from topshelf.bot.polling import Bot, Plan
    from topshelf.bot.requests import Target, requests_for, users_in, users_of
    from topshelf.cli.bot_display import show_summary

    if (users is None) == (users_file is None):
        raise typer.BadParameter("say whom to ask for: --users 1-943, or --users-file FILE")
    asked = users_of(users_file) if users_file else users_in(users or "")
    _, base, token = reader_at(url, token, "admin" if profile else "read")
    target = Target.of(base)
    models = model or _live_models(base, token)
    stream = requests_for(target, token, asked, models, k=k, profile_every=profile, seed=seed)
    told = error_console if as_json else console
    told.print(
        f"asking {base} for {len(asked):,} users of {', '.join(models)} over {concurrency} connections, "
        f"{'at full speed' if rate is None else f'{rate:g} times a second'}; Ctrl-C ends it",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    tally = _run(Bot(target, stream, Plan(concurrency, rate, requests, seconds, timeout)), told).tally
    show_summary(tally, told)
    if profile and tally.answered and not tally.profiled:
        told.print(
            "Nothing was profiled: is the token an admin's, and is the watch extra where the reader runs?"
        )
    if as_json:
        print_json(tally.as_json())
    if not tally.fine:
        raise typer.Exit(OTHER_ERROR)


def _live_models(base: str, token: str) -> list[str]:
    from topshelf.cli.http import get
    from topshelf.errors import ModelNotFound

    known = get(base, token, "models").body["models"]
    live = [one["model"] for one in known if one["pointer"]]
    if not live:
        raise ModelNotFound(f"nothing is live at {base}; publish a model with: topshelf pipeline MODEL")
    return live


def _run(bot: "Bot", shown_on: "Console") -> "Bot":
    """Run a bot to its end, or until Ctrl-C or SIGTERM, which is a good end, too."""
    import uvloop

    from topshelf.cli.bot_display import watch

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, bot.stop)
        watching = loop.create_task(watch(bot, shown_on))
        try:
            await bot.run()
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    return bot
