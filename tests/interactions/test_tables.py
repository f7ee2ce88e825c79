import gzip
from pathlib import Path

import polars as pl
import pytest

from interactions.tables import TextLayout, read_columns, read_table
from tests.interactions.conftest import WriteFile
from topshelf.errors import EmptyData, MissingColumn, UnreadableFile


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "u,i\n1,2\n"),
        ("a.tsv", "u\ti\n1\t2\n"),
        ("a.csv", "\ufeffu,i\r\n1,2\r\n"),
        ("a.csv", "u;i\n1;2\n"),
        ("a.inter", "u:token\ti:token\n1\t2\n"),
        ("a.csv", 'u,"i"\n"1",2'),
    ],
)
def test_a_separator_is_told_from_the_name_or_the_header(write: WriteFile, name: str, text: str) -> None:
    table = read_table(write(name, text))
    assert table.frame.to_dicts() == [{"u": "1", "i": "2"}]
    assert read_columns(table.path) == ["u", "i"]


def test_gzipped_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"u,i\n1,2\n"))
    assert read_table(path).frame.rows() == [("1", "2")]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"u": [1], "i": ["x"]}).write_parquet(path)
    table = read_table(path)
    assert table.frame.rows() == [(1, "x")]
    assert table.lines.to_list() == [1]


def test_quoted_fields_may_hold_separators_quotes_and_line_breaks(write: WriteFile) -> None:
    table = read_table(write("a.csv", 'u,t\n1,"a, ""b""\nc"\n'))
    assert table.frame.rows() == [("1", 'a, "b"\nc')]


def test_quotes_are_letters_where_the_layout_says_so(write: WriteFile) -> None:
    table = read_table(write("a.tsv", 'u\tt\n1\t"Half\n'), TextLayout("\t", quote=None))
    assert table.frame.rows() == [("1", '"Half')]


def test_several_characters_may_separate_latin_text_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "movies.dat"
    path.write_bytes("1::Café: the film::x\n2::B::y\n".encode("latin-1"))
    table = read_table(path, TextLayout("::", ("id", "title", "genre"), "latin-1", None))
    assert table.frame["title"].to_list() == ["Café: the film", "B"]
    assert table.lines.to_list() == [1, 2]


def test_lines_count_from_the_header(write: WriteFile) -> None:
    table = read_table(write("a.csv", "u,i\n1,2\n\n3,4\n"))
    assert dict(zip(table.lines, table.frame["u"], strict=True)) == {2: "1", 3: None, 4: "3"}


def test_a_row_with_more_fields_than_the_header_is_marked(write: WriteFile) -> None:
    table = read_table(write("a.csv", "u,i\n1,2\n3\n4,5,6,7\n"))
    assert table.surplus.to_list() == [False, False, True]
    assert table.frame.rows() == [("1", "2"), ("3", None), ("4", "5")]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.csv.gz"])
def test_a_missing_file_is_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("a.csv", b"\x89PNG\r\n\0\0\0\rIHDR", "binary"),
        ("a.csv", b"PAR1 and more", "Parquet file under another name"),
        ("a.parquet", b"u,i\n1,2\n", "not a Parquet file"),
        ("a.parquet", b"PAR1 cut short", "not a whole Parquet file"),
        ("a.csv", b"u,i\n1,caf\xe9\n", "not UTF-8"),
        ("a.csv", b'u,i\n1,"open\n2,3\n', "never closed"),
        ("a.csv.gz", b"\x1f\x8b\x08 not gzip at all", "cannot be read"),
        ("a.csv", b"u,u\n1,2\n", "u is taken twice"),
    ],
)
def test_what_is_no_table_is_unreadable(tmp_path: Path, name: str, raw: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(UnreadableFile, match=told):
        read_table(tmp_path / name)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        read_table(tmp_path)


@pytest.mark.parametrize(("text", "told"), [("", "is empty"), ("\n \n", "is empty"), ("u,i\n", "no rows")])
def test_an_empty_file_is_said_to_be_empty(write: WriteFile, text: str, told: str) -> None:
    with pytest.raises(EmptyData, match=told):
        read_table(write("a.csv", text))


def test_a_missing_column_is_told_with_those_there(write: WriteFile) -> None:
    table = read_table(write("a.csv", "u,i\n1,2\n"))
    with pytest.raises(MissingColumn, match="'rating'; it has u, i"):
        table.require(["u", "rating"])
