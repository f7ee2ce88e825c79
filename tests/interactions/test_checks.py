import polars as pl

from interactions.checks import first_fault, id_column, mark_repeats, weight_column


def test_the_first_fault_of_a_row_is_told() -> None:
    faults = first_fault([pl.Series([None, "a", None]), pl.Series(["b", "c", None])])
    assert faults.to_list() == ["b", "a", None]


def test_rows_without_a_fault_may_have_none_at_all() -> None:
    none = pl.Series([None, None], dtype=pl.String)
    assert first_fault([none, none]).to_list() == [None, None]


def test_only_later_faultless_rows_are_repeats() -> None:
    frame = pl.DataFrame({"k": [1, 1, 1, 2]})
    faults = pl.Series(["bad", None, None, None])
    assert mark_repeats(frame, ["k"], faults, "again").to_list() == ["bad", None, "again", None]


def test_integers_asked_for_as_strings_become_text() -> None:
    column, kind = id_column(pl.Series([7, None, 42]), "user_id", "string", None)
    assert kind == "string"
    assert column.values.to_list() == ["7", None, "42"]
    assert column.faults.to_list() == [None, "missing user_id", None]


def test_unsigned_ids_beyond_int64_are_told() -> None:
    column, _ = id_column(pl.Series([2**63, 5], dtype=pl.UInt64), "item_id", "int64", None)
    assert column.faults.to_list() == ["item_id is not an int64", None]


def test_a_faulty_weight_never_reaches_the_values() -> None:
    column = weight_column(pl.Series([1.5, float("inf"), float("nan"), None]))
    assert column.values.to_list() == [1.5, None, None, None]
    assert column.values.dtype == pl.Float32
