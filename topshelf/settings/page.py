"""The page of all settings."""

from topshelf.settings.environment import text_of, variable_of
from topshelf.settings.model import Settings


def settings_page() -> str:
    """Every setting with its default, as a page of Markdown."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once at the start; lists are separated by commas. A secret may stand",
        "in a file instead, named by that variable with `_FILE` behind it, as `TOPSHELF_NEPTUNE_TOKEN_FILE`.",
        "`topshelf settings` prints this page.",
        "",
        "| variable | default | what |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = text_of(field.default)
        lines.append(f"| `{variable_of(name)}` | {f'`{default}`' if default else ''} | {field.description} |")
    return "\n".join(lines) + "\n"
