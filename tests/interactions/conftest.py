from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from interactions.dataset import Dataset
from interactions.datasets import Datasets

WriteFile = Callable[[str, str], Path]


@pytest.fixture
def datasets(tmp_path: Path) -> Datasets:
    return Datasets(tmp_path / "data" / "datasets")


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Write a text file of this name and content; gives its path."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def small(datasets: Datasets) -> Dataset:
    """Users 10 and 20, items a, b, c; user 20 has taken c twice; of user 30 only features are known."""
    return datasets.create(
        pl.DataFrame(
            {
                "user_id": [20, 10, 10, 20, 20],
                "item_id": ["b", "a", "b", "c", "c"],
                "weight": [1.0, 2.0, 3.0, 4.0, 5.0],
                "timestamp": ["2024-01-03", "2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"],
            }
        ).with_columns(pl.col("timestamp").str.to_datetime("%Y-%m-%d")),
        items=pl.DataFrame(
            {
                "item_id": ["c", "a", "never taken"],
                "title": ["Sea", None, "Nothing"],
                "categories": [["x", "y"], ["y"], ["z"]],
                "year": [1999, 2001, 2002],
            }
        ),
        users=pl.DataFrame({"user_id": [20, 30], "age": ["old", "young"]}),
    )
