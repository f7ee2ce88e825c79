"""The sides as bars: requests/s, and p99 beside."""

from pathlib import Path

from benchmarks.plotting import draw_bars, load_pyplot, save
from benchmarks.reading.measures import figures
from benchmarks.reading.report import Results

OURS, THEIRS = "#2f6f6b", "#b8b2a7"


def draw(results: Results, file: Path) -> None:
    """Write the chart, in the format the file's name ends with.

    Raises:
        ServiceError: matplotlib is not installed.
    """
    pyplot = load_pyplot()
    sides = [side for side in results.sides if side.key in results.turns]
    found = [figures(results.turns[side.key]) for side in sides]
    labels = [f"({side.key}) {side.title}" for side in sides]
    colours = [OURS if side.ours else THEIRS for side in sides]
    figure, (speed, tail) = pyplot.subplots(1, 2, sharey=True, figsize=(9, 0.6 + 0.42 * len(sides)))
    for axis, values, title, form in (
        (speed, [side.per_second for side in found], "requests/s, one process", "{:,.0f}"),
        (tail, [side.p99_ms for side in found], "p99, ms", "{:,.1f}"),
    ):
        draw_bars(axis, dict(zip(labels, values, strict=True)), colours, title, form)
    speed.invert_yaxis()
    save(figure, file)
