"""Tables the commands print."""

from collections.abc import Mapping, Sequence

from rich.table import Table

METRIC_COLUMNS = ("NDCG@10", "MAP@10", "MRR@10", "Precision@10", "Recall@10", "Coverage@10", "Novelty@10")


def metrics_table(title: str, metrics_by_model: Mapping[str, Mapping[str, float]]) -> Table:
    """One row a model, the best value of each column in bold."""
    table = Table(title=title, title_justify="left")
    table.add_column("model")
    for column in METRIC_COLUMNS:
        table.add_column(column, justify="right")
    best = {
        column: max((metrics.get(column, 0.0) for metrics in metrics_by_model.values()), default=0.0)
        for column in METRIC_COLUMNS
    }
    for model, metrics in metrics_by_model.items():
        table.add_row(model, *(_cell(metrics.get(column), best[column]) for column in METRIC_COLUMNS))
    return table


def listing(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A plain table."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    return table


def _cell(value: float | None, best: float) -> str:
    if value is None:
        return "-"
    return f"[bold]{value:.4f}[/]" if value == best else f"{value:.4f}"
