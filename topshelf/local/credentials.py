"""Tokens and passwords of a local system: taken from the settings, made up and kept where those have none."""

import json
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import SecretStr

from topshelf.errors import SettingsError
from topshelf.settings import Settings

FILE = "credentials.json"


@dataclass(frozen=True)
class Credentials:
    """What a local system is entered with."""

    read: str
    events: str
    admin: str
    flower: str

    def __repr__(self) -> str:
        return "Credentials(**********)"


def with_credentials(settings: Settings) -> tuple[Settings, Credentials]:
    """The settings with every missing token and password filled in, and those in use.

    What is made up is kept in ``<data_dir>/credentials.json``, readable by its owner alone, so that other
    commands on this machine find it.

    Raises:
        SettingsError: the file is there and cannot be read.
    """
    kept = _load(settings.data_dir / FILE) or _create(settings.data_dir / FILE)
    used = Credentials(
        read=_first(settings.tokens_read) or kept.read,
        events=_first(settings.tokens_events) or kept.events,
        admin=_first(settings.tokens_admin) or kept.admin,
        flower=settings.flower_password.get_secret_value() or kept.flower,
    )
    return (
        settings.model_copy(
            update={
                "tokens_read": settings.tokens_read or (SecretStr(used.read),),
                "tokens_events": settings.tokens_events or (SecretStr(used.events),),
                "tokens_admin": settings.tokens_admin or (SecretStr(used.admin),),
                "flower_password": SecretStr(used.flower),
            }
        ),
        used,
    )


def _first(tokens: tuple[SecretStr, ...]) -> str:
    return tokens[0].get_secret_value() if tokens else ""


def _load(path: Path) -> Credentials | None:
    try:
        return Credentials(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{path} cannot be read; remove it and new credentials are made up") from error


def _create(path: Path) -> Credentials:
    made_up = Credentials(*(secrets.token_urlsafe(24) for _ in range(4)))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(made_up), indent=2))
    with suppress(FileExistsError):  # another command may have come first; both use its file
        path.hardlink_to(draft)
    draft.unlink()
    return _load(path) or made_up
