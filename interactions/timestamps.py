"""Times in any usual notation, made into instants."""

from typing import Final

import polars as pl

INSTANT: Final = pl.Datetime("us")
MILLISECONDS_FROM: Final = 100_000_000_000
"""An epoch number from here on counts milliseconds: as seconds it would lie beyond the year 5000."""
LATEST_SECONDS: Final = 253_402_300_799
"""The last second of the year 9999."""
ISO_PATTERNS: Final = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M%#z",
)


def parse_timestamps(values: pl.Series, form: str | None = None) -> pl.Series:
    """Instants in UTC, Datetime(us), null where a value is missing or cannot be read.

    ``values`` may be text, numbers, dates or datetimes. ``form`` is None (numbers as epoch seconds or
    milliseconds by size, text as ISO 8601), "s", "ms", or a strptime pattern that the text must follow.
    """
    if isinstance(values.dtype, pl.Date | pl.Datetime):
        return _in_utc(values)
    if values.dtype.is_numeric():
        return _from_epoch(values.cast(pl.Float64), None if form not in ("s", "ms") else form)
    text = values.cast(pl.String).str.strip_chars()
    if form in ("s", "ms"):
        return _from_epoch(text.cast(pl.Float64, strict=False), form)
    if form is not None:
        return _from_pattern(text, form)
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count() == text.null_count():
        return _from_epoch(numbers, None)
    return _from_epoch(numbers, None).zip_with(numbers.is_not_null(), _from_iso(text))


def _from_epoch(numbers: pl.Series, unit: str | None) -> pl.Series:
    frame = numbers.alias("n").to_frame()
    seconds = pl.col("n") / 1000 if unit == "ms" else pl.col("n")
    if unit is None:
        seconds = (
            pl.when(pl.col("n").abs() >= MILLISECONDS_FROM).then(pl.col("n") / 1000).otherwise(pl.col("n"))
        )
    readable = seconds.is_finite() & (seconds.abs() <= LATEST_SECONDS)
    micros = pl.when(readable).then(seconds * 1_000_000).round().cast(pl.Int64)
    return _plausible(frame.select(micros.cast(INSTANT)).to_series())


def _from_iso(text: pl.Series) -> pl.Series:
    text = text.str.replace(r"^(\d{4}-\d\d-\d\d)[Tt]", "$1 ").str.replace(r"[zZ]$", "+00:00")
    found = _from_pattern(text, ISO_PATTERNS[0])
    for pattern in ISO_PATTERNS[1:]:
        if found.null_count() == text.null_count():
            break
        found = found.zip_with(found.is_not_null(), _from_pattern(text, pattern))
    return found


def _from_pattern(text: pl.Series, pattern: str) -> pl.Series:
    return _plausible(_in_utc(text.str.to_datetime(pattern, strict=False, time_unit="us", exact=True)))


def _in_utc(moments: pl.Series) -> pl.Series:
    if isinstance(moments.dtype, pl.Datetime) and moments.dtype.time_zone is not None:
        moments = moments.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return moments.cast(INSTANT)


def _plausible(moments: pl.Series) -> pl.Series:
    """Null where the year has fewer than four digits: a two-digit year was read as it stands."""
    frame = moments.alias("t").to_frame()
    return frame.select(pl.when(pl.col("t").dt.year() >= 1000).then(pl.col("t"))).to_series()
