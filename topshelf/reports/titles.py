"""Titles that name nobody."""

import re

LONGEST_TITLE = 300
LONGEST_QUOTE = 64
"""Characters of what was asked for that our errors quote."""
SOMEBODY = "<user>"


def without_user(text: str, user: str) -> str:
    """``text`` without the user's id, where it stands as a word of its own, quoted or not."""
    quoted = user[:LONGEST_QUOTE]
    for written in sorted({user, quoted, repr(quoted)[1:-1]} - {""}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", SOMEBODY, text)
    return text
