import pytest
from pydantic import SecretStr

from api.auth import Scope, Tokens
from topshelf.errors import SettingsError
from topshelf.settings import Settings


def test_a_reader_without_tokens_is_refused_and_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match="TOPSHELF_TOKENS_READ"):
        Tokens(Settings())


def test_an_empty_token_counts_as_none() -> None:
    with pytest.raises(SettingsError):
        Tokens(Settings(tokens_read=(SecretStr(""),)))


@pytest.mark.parametrize(
    ("token", "scope"),
    [
        ("r1", Scope.read),
        ("r2", Scope.read),
        ("e", Scope.events),
        ("a", Scope.admin),
        ("r", None),
        ("", None),
    ],
)
def test_a_token_has_the_scope_it_was_set_for(token: str, scope: Scope | None) -> None:
    tokens = Tokens(
        Settings(
            tokens_read=(SecretStr("r1"), SecretStr("r2")),
            tokens_events=(SecretStr("e"),),
            tokens_admin=(SecretStr("a"),),
        )
    )
    assert tokens.scope_of(token) is scope


def test_a_token_in_two_lists_has_the_wider_scope() -> None:
    both = (SecretStr("both"),)
    assert Tokens(Settings(tokens_read=both, tokens_admin=both)).scope_of("both") is Scope.admin


def test_tokens_are_not_in_the_repr() -> None:
    tokens = Tokens(Settings(tokens_read=(SecretStr("very-secret"),)))
    assert "very-secret" not in repr(vars(tokens))
