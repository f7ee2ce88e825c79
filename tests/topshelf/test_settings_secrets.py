from typing import Any

import pytest
from pydantic import SecretStr

from topshelf.settings import Settings
from topshelf.settings.secrets import BLOT, secrets_of

PASSWORD, QUOTED = "p@ss/word#1", "p%40ss%2Fword%231"


def blotted(text: str, **fields: Any) -> str:
    return Settings.from_environment({}, **fields).without_secrets(text)


@pytest.mark.parametrize("text", [PASSWORD, QUOTED, f":{QUOTED}", f"redis://:{QUOTED}@shelves:6379/0"])
def test_the_password_in_a_url_is_blotted_out_as_it_is_written_and_as_it_is_sent(text: str) -> None:
    said = blotted(f"cannot log in with {text} today", serving_url=f"redis://:{QUOTED}@shelves:6379/0")
    assert said == f"cannot log in with {BLOT} today"


def test_the_key_of_a_dsn_is_one() -> None:
    assert blotted("key abc123 is refused", sentry_dsn="https://abc123@sentry.example/7") == (
        f"key {BLOT} is refused"
    )


def test_the_path_of_a_hook_is_one() -> None:
    [whole, path] = secrets_of((SecretStr("https://hooks.example/services/T0/B0/x1y2"),))
    assert (whole, path) == ("https://hooks.example/services/T0/B0/x1y2", "services/T0/B0/x1y2")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6390/0", "unix:///run/redis.sock", "http://mlflow:5000"])
def test_an_address_without_a_login_is_none(url: str) -> None:
    assert secrets_of((SecretStr(url),)) == ()


def test_a_copy_of_the_settings_knows_its_own() -> None:
    settings = Settings.from_environment({}, flower_password="one")
    assert settings.without_secrets("one, two") == f"{BLOT}, two"
    other = settings.model_copy(update={"flower_password": SecretStr("two")})
    assert other.without_secrets("one, two") == f"one, {BLOT}"


@pytest.mark.parametrize("name", ["serving_url", "durable_url"])
def test_a_redis_url_that_cannot_be_read_is_a_fault_that_shows_no_piece_of_it(name: str) -> None:
    with pytest.raises(ValueError, match="address cannot be read") as caught:
        Settings(**{name: "redis://:pa/ss@shelves:6379/0"})
    assert "pa" not in str(caught.value).replace("password", "").replace("pydantic", "")


@pytest.mark.parametrize(
    "fields", [{"flower_password": "a,b"}, {"flower_user": "a:b"}, {"flower_password": "sésame"}]
)
def test_what_basic_auth_cannot_carry_is_a_fault(fields: dict[str, str]) -> None:
    """Flower takes a list: behind a comma stands another user."""
    with pytest.raises(ValueError, match="only printable ASCII is taken"):
        Settings(**fields)
