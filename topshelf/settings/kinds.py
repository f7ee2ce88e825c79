"""The kinds of values that settings have, each with what is wrong with a value that is none."""

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from topshelf.settings.environment import Names, Tokens
from topshelf.settings.secrets import readable_url

QUEUES = ("gpu", "cpu", "io")
TRACKERS = ("mlflow", "neptune")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

BASE64_PREFIX = "whsec_"
"""Behind it the bytes of a webhook's key stand in base64."""


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _none_where_empty(path: Any) -> Any:
    return path or None


def _existing_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone is named {name!r}; write it as in Europe/Berlin") from error
    return name


def _five_fields(cron: str) -> str:
    if cron and len(cron.split()) != 5:
        raise ValueError("five fields are wanted: minute hour day month weekday, as in '0 3 * * *'")
    return cron


def _known_level(level: str) -> str:
    level = level.upper()
    if level not in LEVELS:
        raise ValueError(f"one of {', '.join(LEVELS)}")
    return level


def _known_queues(queues: Names) -> Names:
    if strange := [queue for queue in queues if queue not in QUEUES]:
        raise ValueError(f"no queue is named {', '.join(strange)}; there are {', '.join(QUEUES)}")
    return queues


def _known_trackers(trackers: Names) -> Names:
    if strange := [name for name in trackers if name not in TRACKERS]:
        raise ValueError(f"no tracker is named {', '.join(strange)}; there are {', '.join(TRACKERS)}")
    return trackers


def _for_basic_auth(text: str, barred: str) -> None:
    if not text.isascii() or not text.isprintable() or set(text) & set(barred):
        raise ValueError(f"only printable ASCII is taken, and no {' or '.join(barred)}")


def _basic_auth_user(user: str) -> str:
    _for_basic_auth(user, ",:")
    return user


def _basic_auth_password(password: SecretStr) -> SecretStr:
    _for_basic_auth(password.get_secret_value(), ",")
    return password


def _http_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("an address is wanted that starts with http:// or https://")
    return url.rstrip("/")


def _http_urls(urls: Tokens) -> Tokens:
    for place, url in enumerate(urls, 1):
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"address {place} is not of the form https://host/path")
    return urls


def _base64_where_it_says_so(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text.startswith(BASE64_PREFIX):
        try:
            base64.b64decode(text.removeprefix(BASE64_PREFIX), validate=True)
        except binascii.Error as error:
            raise ValueError(f"base64 is wanted behind {BASE64_PREFIX}") from error
    return secret


def _redis_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("a Redis URL is wanted: redis://, rediss:// or unix://")
    return url


def _readable(url: SecretStr) -> SecretStr:
    if not readable_url(url.get_secret_value()):
        raise ValueError("the address cannot be read; write : / ? # @ in a password as %3A %2F …")
    return url


def _dsn(dsn: SecretStr) -> SecretStr:
    text = dsn.get_secret_value()
    if text and not re.fullmatch(r"https?://[^@/]+@[^@/]+/(.*/)?\d+", text):
        raise ValueError("a DSN is wanted, as in https://key@host/1")
    return dsn


Port = Annotated[int, Field(ge=1, le=65535)]
PortOrNone = Annotated[int, Field(ge=0, le=65535)]
Folder = Annotated[Path, AfterValidator(_absolute)]
File = Annotated[Folder | None, BeforeValidator(_none_where_empty)]
TimeZone = Annotated[str, AfterValidator(_existing_zone)]
Cron = Annotated[str, AfterValidator(_five_fields)]
Level = Annotated[str, AfterValidator(_known_level)]
Queues = Annotated[Names, AfterValidator(_known_queues)]
Trackers = Annotated[Names, AfterValidator(_known_trackers)]
BasicAuthUser = Annotated[str, AfterValidator(_basic_auth_user)]
BasicAuthPassword = Annotated[SecretStr, AfterValidator(_basic_auth_password)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
HttpUrls = Annotated[Tokens, AfterValidator(_http_urls)]
SigningSecret = Annotated[SecretStr, AfterValidator(_base64_where_it_says_so)]
ReadableUrl = Annotated[SecretStr, AfterValidator(_readable)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url), AfterValidator(_readable)]
Dsn = Annotated[SecretStr, AfterValidator(_readable), AfterValidator(_dsn)]
