import io

from rich.console import Console, RenderableType

from topshelf.cli.tables import METRIC_COLUMNS, listing, metrics_table, side_by_side

POPULAR = dict.fromkeys(METRIC_COLUMNS, 0.125)
ALS = {**POPULAR, "NDCG@10": 0.25, "Coverage@10": 0.0625}


def shown(table: RenderableType, *, width: int = 80, styled: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=styled, color_system="standard" if styled else None
    )
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(text: str, first: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.split()[:1] == [first]]
    return line.split()[1:]


def test_the_metrics_of_every_model_stand_in_one_row() -> None:
    text = shown(metrics_table("held out", {"popular_in_category": POPULAR, "als": ALS}))
    assert max(map(len, text.splitlines())) <= 80
    assert row(text, "model") == list(METRIC_COLUMNS.values())
    assert row(text, "popular_in_category") == ["0.1250"] * 7
    assert row(text, "als") == ["0.2500", *["0.1250"] * 4, "0.0625", "0.1250"]


def test_the_best_of_a_column_is_bold() -> None:
    text = shown(metrics_table("held out", {"popular": POPULAR, "als": ALS}), styled=True)
    assert "\x1b[1m0.2500" in text
    assert "\x1b[1m0.0625" not in text


def test_a_metric_that_was_not_measured_is_a_dash() -> None:
    assert "-" in row(shown(metrics_table("held out", {"als": {"NDCG@10": 0.5}})), "als")
    assert "als" not in shown(metrics_table("held out", {}))


def test_the_first_column_of_a_listing_is_never_broken() -> None:
    text = shown(listing(("job", "status"), [("j" * 40, "word " * 20)]), width=60)
    assert "j" * 40 in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 60


def test_cells_are_shown_as_they_are() -> None:
    text = shown(listing(("item", "title"), [(1, "[REC] [red]"), (None, 2)]))
    assert "[REC] [red]" in text
    assert "None" not in text


def test_two_lists_stand_side_by_side() -> None:
    text = shown(side_by_side("watched", ["Heat", "[REC]"], "als recommends", ["Fargo", "Jaws", "x" * 200]))
    lines = [line.split() for line in text.splitlines()]
    assert ["Heat", "1", "Fargo"] in lines
    assert ["[REC]", "2", "Jaws"] in lines
    assert max(map(len, text.splitlines())) <= 80
