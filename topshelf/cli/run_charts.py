"""Charts that compare training runs: four metrics over the epochs, a colour a run."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.tracking import Run
from workers.tracking.fields import METRIC_FIELDS, leaf
from workers.tracking.run import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_INCHES = 11.0
HEIGHT_INCHES = 7.2
LEGEND_LINE_INCHES = 0.22
DOTS_PER_INCH = 150
QUIET = "0.35"
FAINT = "0.9"
LABEL_ROOM = 1.1
LABEL_GAP = 0.05
"""Height of a line of text, as a share of a chart's."""

Coloured = tuple[list[Point], Run, Any]


def draw(runs: Sequence[Run], out: Path) -> None:
    """Write the charts of ``runs`` to ``out``: curves over the epochs, or bars where no run has epochs.

    The last value of a run that trained to its end, measured on the held-out part, is a diamond; a run
    without epochs has nothing else: a level line leads from it to the left, past the others' curves.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    palette = colormaps["tab10" if len(runs) <= 10 else "tab20"]
    colours = [palette(place % palette.N) for place in range(len(runs))]
    last_step = max(run.last_step for run in runs)
    height = HEIGHT_INCHES + LEGEND_LINE_INCHES * (len(runs) + 1)
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    for chart, field in zip(figure.subplots(2, 2).flat, METRIC_FIELDS, strict=True):
        coloured = list(zip((_points(run, field) for run in runs), runs, colours, strict=True))
        if last_step > 1:
            _draw_curves(chart, coloured, last_step)
        else:
            _draw_bars(chart, coloured)
        _dress(chart, leaf(field))
    handles = [Line2D([], [], color=colour, linewidth=3) for colour in colours]
    labels = [_label(run) for run in runs]
    if last_step > 1:
        handles.append(Line2D([], [], color=QUIET, marker="D", markersize=5, linestyle=""))
        labels.append("measured on the held-out part, after training")
    figure.legend(handles, labels, loc="outside lower left", frameon=False, fontsize=9)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=DOTS_PER_INCH)


def _draw_curves(chart: "Axes", coloured: Sequence[Coloured], last_step: int) -> None:
    from matplotlib.ticker import MaxNLocator

    finals: dict[int, list[tuple[float, Any]]] = {}
    for points, run, colour in coloured:
        if len(points) > 1:
            chart.plot([point.step for point in points], [point.value for point in points], color=colour)
        elif points:
            chart.plot([1, last_step], [points[0].value] * 2, color=colour, linestyle="--", alpha=0.6)
        if points and run.trained:
            at = points[-1].step if len(points) > 1 else last_step
            chart.plot([at], [points[-1].value], color=colour, marker="D", markersize=6, zorder=3)
            finals.setdefault(at, []).append((points[-1].value, colour))
    chart.margins(x=0.02, y=0.1)
    chart.set_xlim(right=last_step * LABEL_ROOM)
    chart.set_xlabel("epoch", color=QUIET)
    chart.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    bottom, top = chart.get_ylim()
    for at, values in finals.items():
        _write_values(chart, at, values, gap=(top - bottom) * LABEL_GAP)


def _write_values(chart: "Axes", at: int, values: Sequence[tuple[float, Any]], gap: float) -> None:
    """Write values to the right of their points, those that would overlap moved up."""
    height = -math.inf
    for value, colour in sorted(values, key=lambda pair: pair[0]):
        height = max(value, height + gap)
        chart.annotate(
            f"{value:.4f}",
            (at, height),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
        )


def _draw_bars(chart: "Axes", coloured: Sequence[Coloured]) -> None:
    for place, (points, _, colour) in enumerate(coloured):
        if points:
            bar = chart.bar([place], [points[-1].value], color=colour, width=0.7)
            chart.bar_label(bar, fmt="%.4f", padding=2, fontsize=9)
    chart.margins(y=0.12)
    chart.set_xlim(-0.7, len(coloured) - 0.3)
    chart.set_xticks([])


def _dress(chart: "Axes", title: str) -> None:
    chart.set_title(title, loc="left", fontweight="bold")
    chart.grid(axis="y", color=FAINT)
    chart.set_axisbelow(True)
    chart.spines[["top", "right"]].set_visible(False)
    chart.tick_params(colors=QUIET)


def _points(run: Run, field: str) -> list[Point]:
    return [point for point in run.series.get(field, []) if math.isfinite(point.value)]


def _label(run: Run) -> str:
    return f"{run.id}   {run.model}{'' if run.state == 'succeeded' else f', {run.state}'}"
