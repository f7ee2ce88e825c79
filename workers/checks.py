"""What whoever runs Celery asks of the settings before it starts."""

from models.registry import check_installed, model_entry
from topshelf.errors import InvalidConfig, ModelError, SettingsError
from topshelf.reports import check_reports
from topshelf.settings import Settings
from topshelf.settings.checks import Check, data_can_be_kept, files_can_be_read
from workers.rules import read_rules
from workers.schedules import schedules_of


def models_can_be_trained(settings: Settings) -> None:
    """The library is installed of every model that a worker of these queues is given.

    Raises:
        SettingsError: names those that cannot be trained here, and every other fault of the schedules.
    """
    faults = []
    for schedule in schedules_of(settings):
        for name in schedule.models:
            if {model_entry(name).queue, settings.chunk_queue}.isdisjoint(settings.queues):
                continue
            try:
                check_installed(name, schedule.config.get(name))
            except ModelError as error:
                faults.append(str(error))
    if faults:
        raise SettingsError("\n".join(dict.fromkeys(faults)))


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
    schedules_of,
    check_reports,
)
"""Of whatever runs Celery: it need not have the models' libraries."""

WORKER_CHECKS: tuple[Check, ...] = (*CHECKS, models_can_be_trained)
"""Of a worker."""
