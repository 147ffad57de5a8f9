"""The journal of a study: what the language model was asked and said, and what came of it; one line an event.

Append-only. A study that is killed at any point goes on from it: an answer that is in here is never paid for again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "journal.jsonl"
Event = dict[str, Any]


class JournalError(ValueError):
    """The journal cannot be read; the message names the line."""


@dataclass(frozen=True)
class Key:
    """Which call of a study: its round, its step, the suggestion it is about ("" for all) and which attempt it is."""

    round: int
    step: str  # propose, repair or reflect
    suggestion: str = ""
    attempt: int = 0

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Key:
        """The call that an event (asked, answered, call_failed, unusable) is about."""
        return cls(event["round"], event["step"], event["suggestion"], event["attempt"])

    def __str__(self) -> str:
        about = f" {self.suggestion}" if self.suggestion else ""
        return f"round {self.round}, {self.step}{about}, attempt {self.attempt}"


class Journal:
    """The events of journal.jsonl in `folder`, oldest first, and the only way to add to them."""

    def __init__(self, folder: Path | str = ".") -> None:
        self.path = Path(folder) / FILE
        self.events = read_journal(self.path)

    def add(self, event: str, **fields: Any) -> Event:
        """Append an event; it is on the disk when this returns."""
        entry = {"event": event, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
        with self.path.open("ab+") as stream:
            _cut_torn_line(stream)
            stream.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.events.append(entry)
        return entry

    def once(self, event: str, key: Mapping[str, Any], **fields: Any) -> Event:
        """The event of this kind with these key fields: the one that is there already, or a new one."""
        return self.last(event, **key) or self.add(event, **key, **fields)

    def about(self, event: str, key: Key | None = None, **fields: Any) -> Iterator[Event]:
        """The events of one kind whose fields are as given, oldest first."""
        wanted = (asdict(key) if key else {}) | fields
        return (e for e in self.events if e["event"] == event and all(e.get(n) == v for n, v in wanted.items()))

    def last(self, event: str, key: Key | None = None, **fields: Any) -> Event | None:
        """The latest of them, or None."""
        return next(reversed(list(self.about(event, key, **fields))), None)


def read_journal(path: Path) -> list[Event]:
    """Every event of a journal; none where there is no file. A last line that a kill cut short does not count.

    Errors: JournalError naming a line that is no event.
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
    """Take away what a kill left half written, so that the next event starts a line of its own."""
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
