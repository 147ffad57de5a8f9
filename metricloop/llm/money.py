"""What a language model has cost so far, in a few words for a line of progress."""

from __future__ import annotations

from pathlib import Path

from metricloop.llm.budget import spent
from metricloop.llm.journal import read_journal
from metricloop.llm.settings import LanguageModel

_last: dict[Path, tuple[int, str]] = {}  # journal -> its size, and what was said of it


def money_so_far(journal: Path, settings: LanguageModel) -> str:
    """Such as `model $0.12, 6,100 tokens of reasoning`, or all tokens where no price is known.

    "" before anything was asked, and in a replay.
    """
    try:
        size = journal.stat().st_size
    except OSError:
        return ""
    if _last.get(journal, (-1, ""))[0] != size:
        used = spent(read_journal(journal), settings)
        said = f"model ${used.dollars:.2f}" if used.dollars else f"model {used.tokens:,} tokens"
        said += f", {used.reasoning:,} tokens of reasoning" if used.reasoning else ""
        _last[journal] = (size, said if used.tokens else "")
    return _last[journal][1]
