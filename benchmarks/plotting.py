"""Matplotlib, set up so that the same results give the same file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from topshelf.errors import ServiceError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def load_pyplot() -> Any:
    """``matplotlib.pyplot``, for files.

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

    return pyplot


def draw_bars(
    axis: "Axes", values: dict[str, float], colours: list[str], title: str, form: str, margin: float = 0.18
) -> None:
    """Horizontal bars, the first on top, each with its value."""
    bars = axis.barh(list(values), list(values.values()), color=colours)
    axis.bar_label(bars, [form.format(value) for value in values.values()], padding=3, fontsize=8)
    axis.set_title(title, fontsize=10)
    axis.margins(x=margin)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.tick_params(bottom=False, labelbottom=False, left=False, labelsize=9)


def save(figure: "Figure", file: Path) -> None:
    """Write a figure, in the format the file's name ends with."""
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    load_pyplot().close(figure)
