"""A bot on a terminal: a live table while it asks, lines where nobody looks, a histogram at the end."""

import asyncio
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table

from topshelf.bot.polling import Bot
from topshelf.bot.tally import Tally

TABLE_EVERY_SECONDS, LINE_EVERY_SECONDS = 0.5, 5.0
BAR_WIDTH = 40


class _Show(Protocol):
    def __call__(self, bot: Bot, per_second: float) -> None: ...


async def watch(bot: Bot, console: Console) -> None:
    """Show how a bot does, until cancelled."""
    if not console.is_terminal:
        await _repeat(bot, LINE_EVERY_SECONDS, lambda bot, now: _print_line(console, bot, now))
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        await _repeat(
            bot,
            TABLE_EVERY_SECONDS,
            lambda bot, now: live.update(_table(bot.tally, now, bot.under_way), refresh=True),
        )


def show_summary(tally: Tally, console: Console) -> None:
    """What the whole run was, with a histogram of its latencies."""
    console.print(_table(tally, tally.per_second))
    if tally.answered:
        console.print(_histogram(tally))


async def _repeat(bot: Bot, every_seconds: float, show: _Show) -> None:
    answered = 0
    while True:
        await asyncio.sleep(every_seconds)
        now = bot.tally.answered
        show(bot, (now - answered) / every_seconds)
        answered = now


def _print_line(console: Console, bot: Bot, per_second: float) -> None:
    tally = bot.tally
    latencies = ", ".join(f"{name} {_ms(value)}" for name, value in tally.quantiles_ms().items())
    console.print(
        f"{tally.seconds:5.0f} s  {per_second:8,.0f}/s  {tally.answered:,} answered, "
        f"{tally.failed:,} failed; ms: {latencies}",
        highlight=False,
        soft_wrap=True,
    )


def _table(tally: Tally, per_second: float, under_way: int = 0) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="dim")
    table.add_column()
    table.add_row("requests/s", f"[bold]{per_second:,.0f}[/]")
    table.add_row("answered", f"{tally.answered:,} in {tally.seconds:.1f} s, {under_way} under way")
    table.add_row("status", _counts({str(status): n for status, n in tally.statuses.items()}))
    table.add_row("source", _counts(tally.sources))
    table.add_row("no answer", _counts(tally.errors | ({"unsent": tally.unsent} if tally.unsent else {})))
    if tally.profiled:
        table.add_row("profiled", f"{tally.profiled:,}")
    table.add_row("ms", "  ".join(f"{name} {_ms(value)}" for name, value in tally.quantiles_ms().items()))
    return table


def _histogram(tally: Tally) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="underline")
    for heading in ("up to ms", "answers", "share"):
        table.add_column(heading, justify="right")
    table.add_column("")
    most = max(count for _, count in tally.latencies.doublings())
    for upper_seconds, count in tally.latencies.doublings():
        bar = "█" * round(BAR_WIDTH * count / most)
        table.add_row(f"{1e3 * upper_seconds:.3g}", f"{count:,}", f"{count / tally.answered:.2%}", bar)
    return table


def _counts(counts: dict[str, int]) -> str:
    return "  ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
