"""docs/settings.md is what the settings say of themselves."""

from pathlib import Path

from topshelf.settings import settings_page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_settings_page_is_up_to_date() -> None:
    assert PAGE.read_text() == settings_page(), "run: topshelf settings > docs/settings.md"
