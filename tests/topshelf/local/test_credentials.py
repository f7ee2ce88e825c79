import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from topshelf.errors import SettingsError
from topshelf.local.credentials import FILE, with_credentials
from topshelf.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def test_what_is_missing_is_made_up_and_filled_in(settings: Settings) -> None:
    filled, used = with_credentials(settings)
    assert [token.get_secret_value() for token in filled.tokens_read] == [used.read]
    assert [token.get_secret_value() for token in filled.tokens_events] == [used.events]
    assert [token.get_secret_value() for token in filled.tokens_admin] == [used.admin]
    assert filled.flower_password.get_secret_value() == used.flower
    assert len({used.read, used.events, used.admin, used.flower}) == 4
    assert min(map(len, (used.read, used.events, used.admin, used.flower))) >= 32


def test_only_the_owner_can_read_the_file(settings: Settings) -> None:
    with_credentials(settings)
    assert stat.S_IMODE((settings.data_dir / FILE).stat().st_mode) == 0o600


def test_the_next_command_finds_the_same(settings: Settings) -> None:
    assert with_credentials(settings) == with_credentials(settings)


def test_commands_started_at_once_agree(settings: Settings) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: with_credentials(settings)[1], range(64)))
    assert len(set(found)) == 1
    assert [path.name for path in settings.data_dir.iterdir()] == [FILE]


def test_settings_win_over_what_is_kept(settings: Settings) -> None:
    _, kept = with_credentials(settings)
    named = Settings.from_environment(
        {
            "TOPSHELF_DATA_DIR": str(settings.data_dir),
            "TOPSHELF_TOKENS_READ": "first,second",
            "TOPSHELF_FLOWER_PASSWORD": "blossom",
        }
    )
    filled, used = with_credentials(named)
    assert (used.read, used.flower) == ("first", "blossom")
    assert filled.tokens_read == named.tokens_read
    assert (used.events, used.admin) == (kept.events, kept.admin)


def test_they_show_in_no_representation(settings: Settings) -> None:
    filled, used = with_credentials(settings)
    for shown in (repr(used), str(used), repr(filled)):
        assert used.admin not in shown
        assert used.read not in shown
        assert used.flower not in shown


@pytest.mark.parametrize("content", ["", "{", "[]", '{"read": "x"}', json.dumps({"read": 1})])
def test_a_damaged_file_is_an_error_that_says_what_to_do(settings: Settings, content: str) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / FILE).write_text(content)
    with pytest.raises(SettingsError, match=r"credentials\.json cannot be read; remove it"):
        with_credentials(settings)
