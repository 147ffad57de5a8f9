"""The brief: what a person knows about the data set, in their own words, for the language model."""

from __future__ import annotations

import re
from pathlib import Path

from metricloop import layout

MOST = 4000  # characters, without comments
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class BriefError(ValueError):
    """brief.md cannot be used; the message says what to do."""


def read_brief(folder: Path | str = ".") -> str:
    """The text of brief.md without its comments; "" when there is no file, or nothing but comments in it.

    Errors: BriefError when the file is not text, is too long, or has a comment without an end.
    """
    path = Path(folder) / layout.BRIEF
    if not path.is_file():
        return ""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BriefError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None
    text = COMMENT.sub("", text)
    if "<!--" in text:
        raise BriefError(f"{path}: a comment begins with <!-- and does not end; close it with -->")
    text = re.sub(r"\n\s*\n+", "\n\n", text).strip()
    if len(text) > MOST:
        raise BriefError(f"{path} is {len(text):,} characters long without its comments; shorten it to {MOST:,}")
    return text
