from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from interactions.mapping import ColumnMapping, ItemMapping, UserMapping
from interactions.readers import Readout, read_interactions, read_items, read_users
from tests.interactions.conftest import WriteFile
from topshelf.errors import EmptyData, MissingColumn

FULL = ColumnMapping("user_id", "item_id", "timestamp", "weight")
HEADER = "user_id,item_id,timestamp,weight\n"


def read(write: WriteFile, rows: str, mapping: ColumnMapping = FULL, **declared: object) -> Readout:
    return read_interactions(write("rows.csv", HEADER + rows), mapping, **declared)  # type: ignore[arg-type]


def test_good_rows_are_typed_and_keep_their_order(write: WriteFile) -> None:
    readout = read(write, "2,b,2024-01-02,1\n1,a,2024-01-01T10:00:00Z,0.5\n")
    assert readout.rejects.height == 0
    assert (readout.user_id_type, readout.item_id_type) == ("int64", "string")
    assert readout.frame.rows() == [
        (2, "b", datetime(2024, 1, 2), 1.0),
        (1, "a", datetime(2024, 1, 1, 10), 0.5),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",5,2024-01-01,1", "missing user_id"),
        ("  ,5,2024-01-01,1", "missing user_id"),
        ("1,,2024-01-01,1", "missing item_id"),
        ("x,5,2024-01-01,1", "user_id is not an int64"),
        ("1.5,5,2024-01-01,1", "user_id is not an int64"),
        ("9223372036854775808,5,2024-01-01,1", "user_id is not an int64"),
        ("-1,5,2024-01-01,1", "user_id is negative"),
        ("1001,5,2024-01-01,1", "user_id is above 1000"),
        ("1,-5,2024-01-01,1", "item_id is negative"),
        ("1,5,2024-01-01,nan", "weight is NaN or infinite"),
        ("1,5,2024-01-01,-inf", "weight is NaN or infinite"),
        ("1,5,2024-01-01,1e39", "weight is NaN or infinite"),
        ("1,5,2024-01-01,much", "weight is not a number"),
        ("1,5,2024-01-01,", "missing weight"),
        ("1,5,01.02.2024,1", "unreadable timestamp"),
        ("1,5,,1", "missing timestamp"),
        ("1,5,2024-01-01,1,more", "more fields than columns"),
        ("1,5", "missing timestamp"),
        ("", "missing user_id"),
        ("7,7,2024-01-07,3", "duplicate of an earlier row"),
    ],
)
def test_a_bad_row_is_rejected_with_its_line_and_reason(write: WriteFile, row: str, reason: str) -> None:
    rows = f"7,7,2024-01-07,1\n{row}\n8,8,2024-01-08,1\n"
    readout = read(write, rows, user_id_type="int64", item_id_type="int64", user_id_max=1000)
    assert readout.rejects.select("row", "reason").rows() == [(3, reason)]
    assert readout.frame["user_id"].to_list() == [7, 8]
    assert readout.n_rows == 3


def test_a_reject_carries_the_row_as_it_stood(write: WriteFile) -> None:
    rejects = read(write, "1,5,someday,1\n").rejects
    assert rejects.to_dicts() == [
        {
            "row": 2,
            "reason": "unreadable timestamp",
            "user_id": "1",
            "item_id": "5",
            "timestamp": "someday",
            "weight": "1",
        }
    ]


def test_a_date_in_another_form_than_declared_is_rejected(write: WriteFile) -> None:
    mapping = ColumnMapping("user_id", "item_id", "timestamp", None, "%d.%m.%Y")
    readout = read(write, "1,5,22.08.2021,1\n1,6,2021-08-22,1\n", mapping)
    assert readout.rejects["reason"].to_list() == ["timestamp is not of the form %d.%m.%Y"]
    assert readout.frame["timestamp"].to_list() == [datetime(2021, 8, 22)]


def test_a_pair_at_two_times_is_no_duplicate(write: WriteFile) -> None:
    readout = read(write, "1,5,2024-01-01,1\n1,5,2024-01-02,1\n")
    assert readout.frame.height == 2


def test_a_bad_row_makes_no_later_one_its_duplicate(write: WriteFile) -> None:
    readout = read(write, "1,5,2024-01-01,nan\n1,5,2024-01-01,1\n")
    assert readout.rejects["row"].to_list() == [2]
    assert readout.frame.height == 1


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (["1", "2", "30"], "int64"),
        (["1", "x2"], "string"),
        (["007", "7"], "string"),
        (["9223372036854775808"], "string"),
        (["Ünïcødé", "日本"], "string"),
    ],
)
def test_ids_are_int64_only_where_nothing_is_lost(write: WriteFile, ids: list[str], kind: str) -> None:
    rows = "".join(f"{one},5,2024-01-01,1\n" for one in ids)
    readout = read(write, rows)
    assert readout.user_id_type == kind
    assert [str(one) for one in readout.frame["user_id"]] == ids


def test_without_times_rows_keep_their_order_and_repeats_stay(write: WriteFile) -> None:
    readout = read(write, "1,5,x,1\n1,6,x,1\n1,5,x,1\n", ColumnMapping())
    assert not readout.has_timestamps
    assert readout.frame["timestamp"].is_sorted()
    assert readout.frame["timestamp"].n_unique() == 3
    assert readout.frame["weight"].to_list() == [1, 1, 1]


def test_all_rows_bad_leave_an_empty_frame(write: WriteFile) -> None:
    readout = read(write, ",,,\n,,,\n")
    assert readout.frame.height == 0
    assert readout.rejects.height == 2


def test_a_mapped_column_must_be_there(write: WriteFile) -> None:
    with pytest.raises(MissingColumn, match="'stars'; it has user_id, item_id, timestamp, weight"):
        read(write, "1,5,2024-01-01,1\n", ColumnMapping(weight="stars"))


def test_a_header_alone_is_empty(write: WriteFile) -> None:
    with pytest.raises(EmptyData):
        read(write, "")


def test_parquet_ids_may_be_whole_floats(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"user_id": [1.0, 2.5, float("nan"), None], "item_id": ["a", "b", "c", "d"]}).write_parquet(
        path
    )
    readout = read_interactions(path, ColumnMapping(), user_id_type="int64")
    assert readout.frame["user_id"].to_list() == [1]
    assert readout.rejects["reason"].to_list() == [
        "user_id is not an int64",
        "missing user_id",
        "missing user_id",
    ]
    assert readout.rejects["row"].to_list() == [2, 3, 4]


def test_parquet_times_keep_their_zone(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    times = pl.Series("timestamp", [datetime(2024, 1, 1, 9), None]).dt.replace_time_zone("Asia/Tokyo")
    pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}).with_columns(times).write_parquet(path)
    readout = read_interactions(path, ColumnMapping(timestamp="timestamp"))
    assert readout.frame["timestamp"].to_list() == [datetime(2024, 1, 1)]
    assert readout.rejects["reason"].to_list() == ["missing timestamp"]


def test_items_have_titles_categories_and_features(write: WriteFile) -> None:
    path = write("items.csv", 'id,name,genre,year\n1,"Sea, the",war| drama |,1999\n2,,,\n')
    frame = read_items(path, ItemMapping("id", "name", "genre", "|"), "int64").frame
    assert frame.to_dicts() == [
        {"item_id": 1, "title": "Sea, the", "categories": ["war", "drama"], "year": 1999},
        {"item_id": 2, "title": None, "categories": None, "year": None},
    ]


def test_an_item_that_stands_twice_is_rejected(write: WriteFile) -> None:
    readout = read_items(
        write("items.csv", "id,name\n1,A\n2,B\n1,C\n,D\n"), ItemMapping("id", "name"), "int64"
    )
    assert readout.frame["title"].to_list() == ["A", "B"]
    assert readout.rejects.select("row", "reason").rows() == [
        (4, "duplicate item_id"),
        (5, "missing item_id"),
    ]


def test_a_year_is_taken_off_the_title(write: WriteFile) -> None:
    mapping = ItemMapping("id", "name", year_in_title=True)
    frame = read_items(write("items.csv", "id,name\n1,Sea (1999)\n2,(500) Days\n"), mapping, "int64").frame
    assert frame["title"].to_list() == ["Sea", "(500) Days"]
    assert frame["release_year"].to_list() == [1999, None]


def test_users_keep_their_features_and_no_repeats(write: WriteFile) -> None:
    path = write("users.csv", "uid,age,city\na,33,X\nb,,Y\na,3,Z\n")
    readout = read_users(path, UserMapping("uid"), "string")
    assert readout.frame.to_dicts() == [
        {"user_id": "a", "age": 33, "city": "X"},
        {"user_id": "b", "age": None, "city": "Y"},
    ]
    assert readout.rejects["reason"].to_list() == ["duplicate user_id"]
