import pytest

from topshelf.reports.titles import without_user


@pytest.mark.parametrize(
    ("text", "user", "expected"),
    [
        ("user 7 has 17 items", "7", "user <user> has 17 items"),
        ("'abc' is not a user id", "abc", "'<user>' is not a user id"),
        ("'a\\nb' is not a user id", "a\nb", "'<user>' is not a user id"),
        ("a.b and axb", "a.b", "<user> and axb"),
        ("nobody is asked for", "", "nobody is asked for"),
        (f"{'x' * 64!r} is not a user id", "x" * 100, "'<user>' is not a user id"),
    ],
)
def test_a_user_is_left_out_of_a_title(text: str, user: str, expected: str) -> None:
    assert without_user(text, user) == expected
