"""What whoever runs Celery asks of the settings before it starts."""

from models.registry import check_installed
from topshelf.errors import InvalidConfig, ModelError, SettingsError
from topshelf.settings import Settings
from topshelf.settings.checks import Check, data_can_be_kept, files_can_be_read
from workers.rules import read_rules
from workers.schedule import beat_schedule


def models_can_be_trained(settings: Settings) -> None:
    """Every model of the nightly run exists, and its library is installed.

    Raises:
        SettingsError: names those that cannot be trained here.
    """
    faults = []
    for name in settings.models:
        try:
            check_installed(name)
        except ModelError as error:
            faults.append(f"TOPSHELF_MODELS: {error}")
    if faults:
        raise SettingsError("\n".join(faults))


def rules_can_be_used(settings: Settings) -> None:
    """The rules of all lists, where a file of them is named, are rules.

    Raises:
        SettingsError: says what is wrong in the file.
    """
    if settings.rules_file is None or not settings.rules_file.is_file():
        return
    try:
        read_rules(settings.rules_file)
    except InvalidConfig as error:
        raise SettingsError(f"TOPSHELF_RULES_FILE: {error}") from error


CHECKS: tuple[Check, ...] = (
    data_can_be_kept,
    files_can_be_read,
    beat_schedule,
    rules_can_be_used,
    models_can_be_trained,
)
