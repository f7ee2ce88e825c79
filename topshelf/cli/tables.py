"""Tables the commands print."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

METRIC_COLUMNS = {
    "NDCG@10": "NDCG",
    "MAP@10": "MAP",
    "MRR@10": "MRR",
    "Precision@10": "Prec.",
    "Recall@10": "Recall",
    "Coverage@10": "Cover.",
    "Novelty@10": "Novelty",
}
"""Names in a manifest, and what heads their column."""


def metrics_table(
    title: str, metrics_by_model: Mapping[str, Mapping[str, float]], first: str = "model"
) -> Table:
    """One row a model, or what ``first`` names, the best value of each column in bold; all at 10, fits 80
    columns.
    """
    table = Table(
        title=f"{title} (@10)", title_justify="left", box=None, padding=(0, 1), header_style="underline"
    )
    table.add_column(first, no_wrap=True)
    for heading in METRIC_COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    best = {
        column: max((metrics.get(column, 0.0) for metrics in metrics_by_model.values()), default=0.0)
        for column in METRIC_COLUMNS
    }
    for model, metrics in metrics_by_model.items():
        table.add_row(model, *(_cell(metrics.get(column), best[column]) for column in METRIC_COLUMNS))
    return table


def listing(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A plain table; where the terminal is narrow its last column is folded, the others are copied from."""
    table = Table(box=None, padding=(0, 1), header_style="underline")
    for place, column in enumerate(columns, 1):
        table.add_column(column, no_wrap=place < len(columns), overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    return table


def side_by_side(left_title: str, left: Sequence[str], right_title: str, right: Sequence[str]) -> Table:
    """Two lists next to each other, the right one numbered; long lines are cut."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), expand=True)
    table.add_column(left_title, ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("", justify="right")
    table.add_column(right_title, ratio=1, no_wrap=True, overflow="ellipsis")
    for place, (before, recommended) in enumerate(zip_longest(left, right, fillvalue=""), 1):
        table.add_row(escape(before), str(place), escape(recommended))
    return table


def _cell(value: float | None, best: float) -> str:
    if value is None:
        return "-"
    return f"[bold]{value:.4f}[/]" if value == best else f"{value:.4f}"
