"""The sides as bars: requests/s, and p99 beside."""

from pathlib import Path

from benchmarks.reading.measures import figures
from benchmarks.reading.report import Results
from topshelf.errors import ServiceError

OURS, THEIRS = "#2f6f6b", "#b8b2a7"


def draw(results: Results, file: Path) -> None:
    """Write the chart, in the format the file's name ends with.

    Raises:
        ServiceError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: PLC0415 -- only who wants a chart needs it
    except ImportError as error:
        raise ServiceError("a chart wants matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    # The same results give the same file, and text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "topshelf", "svg.fonttype": "none"})
    from matplotlib import pyplot  # noqa: PLC0415

    sides = [side for side in results.sides if side.key in results.turns]
    found = [figures(results.turns[side.key]) for side in sides]
    labels = [f"({side.key}) {side.title}" for side in sides]
    colours = [OURS if side.ours else THEIRS for side in sides]
    figure, (speed, tail) = pyplot.subplots(1, 2, sharey=True, figsize=(9, 0.6 + 0.42 * len(sides)))
    for axis, values, title, form in (
        (speed, [side.per_second for side in found], "requests/s, one process", "{:,.0f}"),
        (tail, [side.p99_ms for side in found], "p99, ms", "{:,.1f}"),
    ):
        bars = axis.barh(labels, values, color=colours)
        axis.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.margins(x=0.18)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(bottom=False, labelbottom=False, left=False, labelsize=9)
    speed.invert_yaxis()
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    pyplot.close(figure)
