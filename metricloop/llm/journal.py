"""The journal of a study: the language model's questions, answers and their results, one event per line.

Append-only. A study that was killed goes on from its journal: no answer in it is paid for twice.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metricloop import layout

Event = dict[str, Any]


class JournalError(ValueError):
    """The journal cannot be read; the message names the line."""


@dataclass(frozen=True)
class Key:
    """Identifies a call of a study by round, step, suggestion ("" for all) and attempt.

    engineer: its number, in a study that asks several; else None.
    """

    round: int
    step: str  # explore, propose, repair or reflect
    suggestion: str = ""
    attempt: int = 0
    engineer: int | None = None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Key:
        """The call of an event "asked", "answered", "call_failed" or "unusable"."""
        return cls(event["round"], event["step"], event["suggestion"], event["attempt"], event.get("engineer"))

    def __str__(self) -> str:
        about = f" {self.suggestion}" if self.suggestion else ""
        who = f", engineer {self.engineer}" if self.engineer else ""
        return f"round {self.round}, {self.step}{about}, attempt {self.attempt}{who}"


class Journal:
    """The events of journal.jsonl in `folder`, oldest first. New events are added only through this class.

    engineer: None, or the number of the engineer whose events `about`, `last` and `once` find, and `add` adds.
    """

    engineer: int | None = None

    def __init__(self, folder: Path | str = ".") -> None:
        self.path = Path(folder) / layout.JOURNAL
        self.events = read_journal(self.path)

    def of_engineer(self, number: int | None) -> Journal:
        """The same journal as one of several engineers sees it; None: all of it. The events are shared."""
        view = copy.copy(self)
        view.engineer = number
        return view

    def add(self, event: str, **fields: Any) -> Event:
        """Append an event; it is on disk when this returns."""
        if self.engineer or fields.get("engineer") is None:
            fields = {name: value for name, value in fields.items() if name != "engineer"}
            fields |= {"engineer": self.engineer} if self.engineer else {}
        entry = {"event": event, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
        with self.path.open("ab+") as stream:
            _cut_torn_line(stream)
            stream.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.events.append(entry)
        return entry

    def once(self, event: str, key: Mapping[str, Any], **fields: Any) -> Event:
        """Add an event unless one of this kind has the same key fields; return the one that is in the journal."""
        return self.last(event, **key) or self.add(event, **key, **fields)

    def about(self, event: str, key: Key | None = None, **fields: Any) -> Iterator[Event]:
        """The events of one kind whose fields are as given, oldest first."""
        wanted = (asdict(key) if key else {}) | fields | ({"engineer": self.engineer} if self.engineer else {})
        return (e for e in self.events if e["event"] == event and all(e.get(n) == v for n, v in wanted.items()))

    def last(self, event: str, key: Key | None = None, **fields: Any) -> Event | None:
        """The latest event of one kind whose fields are as given, or None."""
        return next(reversed(list(self.about(event, key, **fields))), None)


def read_journal(path: Path) -> list[Event]:
    """Every event of a journal; none when there is no file. A last line without its end, cut by a kill, is ignored.

    Errors: JournalError naming a line that is not an event.
    """
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    events = []
    *lines, _torn = text.split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            raise JournalError(f"{path}, line {number}: not an event; put the file back as it was, or delete that line")
        events.append(event)
    return events


def _cut_torn_line(stream: Any) -> None:
    """Remove a last line that a kill cut short, so that the next event starts a new line."""
    size = stream.seek(0, os.SEEK_END)
    if not size:
        return
    stream.seek(size - 1)
    if stream.read(1) == b"\n":
        return
    stream.seek(0)
    whole = stream.read().rfind(b"\n") + 1
    stream.truncate(whole)
    stream.seek(0, os.SEEK_END)
