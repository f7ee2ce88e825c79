"""Which reader a command calls, and with what token."""

from typing import Literal

from topshelf.settings import Settings


def reader_at(
    url: str | None, token: str | None, scope: Literal["read", "admin"] = "admin"
) -> tuple[Settings, str, str]:
    """The settings, the reader's base URL and a token: as given, else this machine's own."""
    from topshelf.local.addresses import api_url
    from topshelf.local.credentials import with_credentials

    settings = Settings.from_environment()
    if token is None:
        settings, credentials = with_credentials(settings)
        token = credentials.admin if scope == "admin" else credentials.read
    return settings, (url or api_url(settings)).rstrip("/"), token
