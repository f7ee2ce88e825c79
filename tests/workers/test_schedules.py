"""Schedules of a file, and of the settings where there is none."""

from pathlib import Path

import pytest

from topshelf.errors import SettingsError
from topshelf.settings import Settings
from workers.schedules import schedules_of

EXAMPLE = Path(__file__).parents[2] / "deploy/schedule.toml"


def settings_with(file: Path) -> Settings:
    return Settings.from_environment({}, schedule_file=file)


def faults_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "schedule.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        schedules_of(settings_with(file))
    return [line.strip().removeprefix("schedule.toml: ") for line in str(refused.value).splitlines()]


def test_without_a_file_the_settings_make_one_schedule() -> None:
    found = schedules_of(
        Settings.from_environment({"TOPSHELF_MODELS": "als", "TOPSHELF_NIGHTLY_TIMEZONE": "Europe/Berlin"})
    )
    [schedule] = found
    assert (schedule.name, schedule.cron, schedule.timezone) == ("nightly", "0 3 * * *", "Europe/Berlin")
    assert found.models == schedule.models == ("als",)
    assert schedule.params("als") == {}


def test_the_example_says_everything_a_schedule_may() -> None:
    found = schedules_of(settings_with(EXAMPLE))
    assert set(found.by_name) == {"nightly", "weekly"}
    assert found.timezone == "Europe/Berlin"
    assert found.get(None).name == "nightly"
    assert found.get("nightly").params("als")["config"] == {"factors": 64}


def test_defaults_are_what_a_schedule_does_not_say(tmp_path: Path) -> None:
    file = tmp_path / "schedule.toml"
    (tmp_path / "rules.json").write_text('{"block": [1]}')
    file.write_text(
        """
        [defaults]
        timezone = "Asia/Tokyo"
        gate_tolerance = 0.1
        rules_file = "rules.json"
        config.als.factors = 32
        config.bpr.factors = 16

        [schedules.one]
        cron = "0 3 * * *"
        models = ["als"]

        [schedules.two]
        cron = "0 4 * * 0"
        models = ["als", "popular"]
        timezone = "UTC"
        gate_tolerance = 0.2
        config.als.factors = 8
        """
    )
    found = schedules_of(settings_with(file))
    one, two = found.get("one"), found.get("two")
    assert (one.timezone, two.timezone) == ("Asia/Tokyo", "UTC")
    assert one.params("als") == {
        "config": {"factors": 32},
        "gate": {"tolerance": 0.1},
        "rules": {"block": [1]},
    }
    assert two.params("als")["config"] == {"factors": 8}
    assert two.params("popular")["gate"] == {"tolerance": 0.2}
    assert found.models == ("als", "popular")


def test_every_fault_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    found = faults_of(
        tmp_path,
        """
        [defaults]
        timezone = "Europe/Berln"
        gate_tolerence = 0.1
        [schedules.nightly]
        cron = "99 3 * * *"
        models = ["als", "als", "populr"]
        modles = 1
        config.als.factor = 3
        config.bpr.factors = 3
        rules_file = "gone.json"
        [schedules.weekly]
        cron = "0 3 * *"
        models = []
        min_overlap = 3
        [schedule.other]
        cron = "0 3 * * *"
        """,
    )
    wanted = [
        "schedule: is not a table; did you mean 'schedules'?",
        "defaults.gate_tolerence: is not a key; did you mean 'gate_tolerance'?",
        "defaults.timezone: no time zone is named 'Europe/Berln'",
        "schedules.nightly.cron: '99 3 * * *' is no schedule",
        "schedules.nightly.models: als is named twice",
        "schedules.nightly.models: no model is named 'populr'; did you mean 'popular'?",
        "schedules.nightly.modles: is not a key; did you mean 'models'?",
        "schedules.nightly.config.als: als cannot be built: 'factor' is not a hyper-parameter",
        "schedules.nightly.config.bpr: the schedule has no such model",
        "schedules.nightly.rules_file: the rules in",
        "schedules.weekly.cron: five fields are wanted",
        "schedules.weekly.models: tuple should have at least 1 item",
        "schedules.weekly.min_overlap: input should be less than or equal to 1",
    ]
    for fault in wanted:
        assert [said for said in found if said.startswith(fault)], (fault, found)
    assert len(found) == len(wanted), found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[schedules.a]\n[schedules.a]",
            "cannot be read: Cannot declare ('schedules', 'a') twice (at line 2",
        ),
        ("", "schedules: at least one is wanted"),
        ("schedules = 3", "schedules: at least one is wanted"),
        ("[schedules]\nnightly = 3", "schedules.nightly.: a table is wanted"),
        (
            "[schedules.Night]\ncron = '0 3 * * *'\nmodels = ['als']",
            "schedules.Night.name: string should match",
        ),
        ("[schedules.a]\nname = 'b'\ncron = '0 3 * * *'\nmodels = ['als']", "schedules.a.name: is not a key"),
        ("[schedules.a]\nmodels = ['als']", "schedules.a.cron: field required"),
    ],
)
def test_a_file_that_is_not_one_of_schedules_says_what_is_wanted(
    tmp_path: Path, text: str, fault: str
) -> None:
    [said] = faults_of(tmp_path, text)
    assert fault in said


def test_a_file_that_is_not_there_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TOPSHELF_SCHEDULE_FILE"):
        schedules_of(settings_with(tmp_path / "gone.toml"))


def test_an_unknown_model_of_the_settings_is_said_at_the_start() -> None:
    with pytest.raises(SettingsError, match="TOPSHELF_MODELS: no model is named 'alz'; did you mean 'als'"):
        schedules_of(Settings.from_environment({"TOPSHELF_MODELS": "alz"}))


def test_a_schedule_there_is_not_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="did you mean 'nightly'"):
        schedules_of(Settings.from_environment({})).get("nightli")
