"""The brief: what the person knows of the data set, in their own words, for the language model to read."""

from __future__ import annotations

import re
from pathlib import Path

FILE = "brief.md"
MOST = 4000  # characters, comments left out
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class BriefError(ValueError):
    """brief.md cannot be used; the message says what to do."""


def read_brief(folder: Path | str = ".") -> str:
    """The text of brief.md without its comments; "" where there is none, or nobody has written in it.

    Errors: BriefError when it is no text, too long, or has a comment without an end.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return ""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BriefError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as such") from None
    text = COMMENT.sub("", text)
    if "<!--" in text:
        raise BriefError(f"{path}: a comment begins with <!-- and has no end; close it with -->")
    text = re.sub(r"\n\s*\n+", "\n\n", text).strip()
    if len(text) > MOST:
        raise BriefError(f"{path} is {len(text):,} characters long without its comments; shorten it to {MOST:,}")
    return text
