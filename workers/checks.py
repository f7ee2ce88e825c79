"""What whoever runs Celery asks of the settings before it starts."""

from models.registry import check_installed
from topshelf.errors import InvalidConfig, ModelError, SettingsError
from topshelf.reports import check_reports
from topshelf.settings import Settings
from topshelf.settings.checks import Check, data_can_be_kept, files_can_be_read
from workers.rules import read_rules
from workers.schedules import schedules_of


def models_can_be_trained(settings: Settings) -> None:
    """Every model of any schedule exists, and its library is installed.

    Raises:
        SettingsError: names those that cannot be trained here, and every other fault of the schedules.
    """
    faults = []
    for name in schedules_of(settings).models:
        try:
            check_installed(name)
        except ModelError as error:
            faults.append(str(error))
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
    rules_can_be_used,
    models_can_be_trained,
    check_reports,
)
