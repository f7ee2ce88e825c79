"""Files as tables of raw values, each row with its line."""

import gzip
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from polars.exceptions import ComputeError, NoDataError, PolarsError

from interactions.columns import ROW
from topshelf.errors import EmptyData, MissingColumn, UnreadableFile

SURPLUS: Final = "surplus"
"""What stands behind the last column of a row that has more fields than the header."""
UNIT_SEPARATOR: Final = "\x1f"
ATOMIC_TYPE: Final = re.compile(r":(token|float)(_seq)?$")
SNIFF_BYTES: Final = 65_536
PARQUET_MAGIC: Final = b"PAR1"
GZIP_MAGIC: Final = b"\x1f\x8b"
COLUMN_NAMES_SHOWN: Final = 40


@dataclass(frozen=True)
class TextLayout:
    """How a text file is laid out.

    ``separator`` may have several characters, None finds it out from the name and the first line.
    ``columns`` are the names where the file has no header. ``quote`` None takes quotes as they stand.
    """

    separator: str | None = None
    columns: tuple[str, ...] | None = None
    encoding: str = "utf-8"
    quote: str | None = '"'


@dataclass(frozen=True, eq=False)
class RawTable:
    """A file's rows: text as it stands (Parquet keeps its types), in file order.

    ``lines`` (n,) u32 counts from 1; a quoted field with line breaks counts as one line, and a Parquet
    file's rows count from 1. ``surplus`` (n,) is true where a row has more fields than the header.
    """

    path: Path
    frame: pl.DataFrame
    lines: pl.Series
    surplus: pl.Series

    def require(self, columns: Sequence[str]) -> None:
        """Check that all ``columns`` are there.

        Raises:
            MissingColumn: naming the first that is not, and those that are.
        """
        for column in columns:
            if column not in self.frame.columns:
                there = ", ".join(self.frame.columns[:COLUMN_NAMES_SHOWN])
                raise MissingColumn(f"{self.path} has no column {column!r}; it has {there}")


def read_table(path: Path, layout: TextLayout | None = None) -> RawTable:
    """Read a CSV, TSV (either gzipped or not) or Parquet file; the name's end says which.

    Raises:
        UnreadableFile: when the file is missing, binary, not UTF-8 or not what its name says.
        EmptyData: when it has no rows.
    """
    layout = layout or TextLayout()
    head = _head(path)
    table = _read_parquet(path, head) if _is_parquet(path) else _read_text(path, layout, head)
    if not table.frame.height:
        raise EmptyData(f"{path} has a header and no rows")
    return table


def read_columns(path: Path, layout: TextLayout | None = None) -> list[str]:
    """The column names of a file.

    Raises:
        UnreadableFile, EmptyData: as ``read_table`` does.
    """
    head = _head(path)
    if _is_parquet(path):
        return _read_parquet(path, head).frame.columns
    layout = layout or TextLayout()
    return _header(path, layout, _decoded(path, head, layout.encoding))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF_BYTES)
        if head[:2] == GZIP_MAGIC:
            with gzip.open(path) as unpacked:
                head = unpacked.read(SNIFF_BYTES)
    except (OSError, EOFError, zlib.error) as exc:
        raise UnreadableFile(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    if not head.strip():
        raise EmptyData(f"{path} is empty")
    return head


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in {".parquet", ".pq"}


def _read_parquet(path: Path, head: bytes) -> RawTable:
    if not head.startswith(PARQUET_MAGIC):
        raise UnreadableFile(f"{path} is not a Parquet file")
    try:
        frame = pl.read_parquet(path, glob=False)
    except (PolarsError, OSError) as exc:
        raise UnreadableFile(f"{path} is not a whole Parquet file: {_first_line(exc)}") from exc
    return RawTable(path, frame, _count(frame.height, 1), pl.repeat(value=False, n=frame.height, eager=True))


def _read_text(path: Path, layout: TextLayout, head: bytes) -> RawTable:
    text = _decoded(path, head, layout.encoding)
    columns = _header(path, layout, text)
    separator = _separator(path, layout, text)
    frame = _parse(path, layout, separator, [*columns, SURPLUS])
    first_line = 1 if layout.columns else 2
    surplus = frame[SURPLUS].is_not_null()
    return RawTable(path, frame.drop(SURPLUS), _count(frame.height, first_line), surplus)


def _count(height: int, start: int) -> pl.Series:
    return pl.int_range(start, start + height, dtype=pl.UInt32, eager=True).alias(ROW)


def _decoded(path: Path, head: bytes, encoding: str) -> str:
    if head.startswith(PARQUET_MAGIC) or b"\0" in head:
        kind = "a Parquet file under another name" if head.startswith(PARQUET_MAGIC) else "binary, not text"
        raise UnreadableFile(f"{path} is {kind}")
    return head.decode(encoding, errors="replace").removeprefix("\ufeff")


def _separator(path: Path, layout: TextLayout, text: str) -> str:
    if layout.separator is not None:
        return layout.separator
    names = [suffix.lower() for suffix in path.suffixes]
    if ".tsv" in names or ".tab" in names:
        return "\t"
    line = text.splitlines()[0]
    counts = {candidate: line.count(candidate) for candidate in ("\t", ",", ";", "|")}
    best = max(counts, key=lambda candidate: counts[candidate])
    return best if counts[best] else ","


def _header(path: Path, layout: TextLayout, text: str) -> list[str]:
    if layout.columns:
        return list(layout.columns)
    line = text.splitlines()[0]
    separator = _separator(path, layout, text)
    try:
        row = pl.read_csv(
            io.BytesIO(line.replace(separator, UNIT_SEPARATOR).encode() + b"\n")
            if len(separator) > 1
            else io.BytesIO(line.encode() + b"\n"),
            has_header=False,
            separator=UNIT_SEPARATOR if len(separator) > 1 else separator,
            quote_char=layout.quote,
            infer_schema=False,
        )
    except PolarsError as exc:
        raise UnreadableFile(f"the header of {path} cannot be read: {_first_line(exc)}") from exc
    names = [
        ATOMIC_TYPE.sub("", (name or "").strip()) or f"column_{n + 1}" for n, name in enumerate(row.row(0))
    ]
    repeated = sorted({name for name in names if names.count(name) > 1 or name == SURPLUS})
    if repeated:
        raise UnreadableFile(f"{path} cannot tell its columns apart: {', '.join(repeated)} is taken twice")
    return names


def _parse(path: Path, layout: TextLayout, separator: str, columns: list[str]) -> pl.DataFrame:
    plain = layout.encoding == "utf-8" and len(separator) == 1
    try:
        return pl.read_csv(
            path if plain else _converted(path, layout.encoding, separator),
            has_header=False,
            skip_lines=0 if layout.columns else 1,
            schema=dict.fromkeys(columns, pl.String()),
            separator=separator if len(separator) == 1 else UNIT_SEPARATOR,
            quote_char=layout.quote,
            extra_columns="ignore",
            missing_columns="insert",
            glob=False,
        )
    except NoDataError as exc:
        raise EmptyData(f"{path} is empty") from exc
    except ComputeError as exc:
        reason = "it is not UTF-8" if "utf-8" in str(exc) else _quoting(exc)
        raise UnreadableFile(f"{path} cannot be read: {reason}") from exc
    except (PolarsError, OSError, UnicodeError, EOFError, zlib.error) as exc:
        raise UnreadableFile(f"{path} cannot be read: {_first_line(exc)}") from exc


def _converted(path: Path, encoding: str, separator: str) -> io.BytesIO:
    raw = path.read_bytes()
    if raw[:2] == GZIP_MAGIC:
        raw = gzip.decompress(raw)
    text = raw.decode(encoding)
    return io.BytesIO((text if len(separator) == 1 else text.replace(separator, UNIT_SEPARATOR)).encode())


def _quoting(exc: ComputeError) -> str:
    return "a quoted field is never closed" if "not properly escaped" in str(exc) else _first_line(exc)


def _first_line(exc: BaseException) -> str:
    return str(exc).strip().split("\n", maxsplit=1)[0] or type(exc).__name__
