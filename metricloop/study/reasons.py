"""Why a stage is out of date: what differs between the workspace and dvc.lock, as DVC itself would find it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.study.dvc_cache import DvcCache
from metricloop.study.file_sums import FileSums
from metricloop.study.known_code import changed_sources
from metricloop.study.stage_list import Stage
from metricloop.study.yaml_text import read_as_dvc

NEVER, COMMAND, CODE, PARAMETER, DATA, LABELS, INPUT, OUTPUT = KINDS = (
    "never ran", "command", "code", "parameter", "data", "labels", "input", "output",
)  # fmt: skip
MISSING, CHANGED, NEW = "missing", "changed", "new"


@dataclass(frozen=True)
class Reason:
    """kind: one of KINDS. what: the file, parameter or option that differs. old, new: its values, or in words."""

    kind: str
    what: str
    old: Any = None
    new: Any = None


class Comparison:
    """The workspace against dvc.lock. texts: files of the workspace that count as if they had this content."""

    def __init__(
        self, folder: Path, lock: Mapping[str, Any], texts: Mapping[str, str], data: Mapping[str, Any]
    ) -> None:
        self.folder, self.texts, self.data = folder, texts, data
        self.lock = lock.get("stages") or {}
        self.sums, self.cache = FileSums(folder), DvcCache(folder)
        self._parsed: dict[str, Any] = {}

    def reasons(self, name: str, stage: Stage) -> list[Reason]:
        """Why the stage is out of date; [] when it is not."""
        recorded = self.lock.get(name)
        if not recorded:
            return [Reason(NEVER, "")]
        found = list(_command(recorded.get("cmd"), stage.command))
        found += self._settings(name, stage, recorded)
        found += self._reads(stage, recorded)
        return found + self._writes(stage, recorded)

    def _settings(self, name: str, stage: Stage, recorded: Mapping[str, Any]) -> list[Reason]:
        found = []
        for file, key in dict.fromkeys(stage.settings):
            old = (recorded.get("params") or {}).get(file)
            new = self._content(file)
            before = _at(old, key)
            now = _at(new, key)
            if now is ABSENT or before != now:
                found += self._told(name, file, key, before, now)
        return found

    def _told(self, name: str, file: str, key: str, old: Any, new: Any) -> list[Reason]:
        if file == layout.CODE:
            kind = name.partition("@")[0]
            files = changed_sources(self.folder, kind, str(old)) if key == kind else []
            return [Reason(CODE, path) for path in files] or [Reason(CODE, key, _shown(old), _shown(new))]
        leaves = sorted(_leaves(key, old, new))
        return [Reason(PARAMETER, where, _shown(a), _shown(b)) for where, a, b in leaves]

    def _reads(self, stage: Stage, recorded: Mapping[str, Any]) -> list[Reason]:
        before = {entry["path"]: entry.get("md5") for entry in recorded.get("deps") or ()}
        found = []
        for path in dict.fromkeys(stage.reads):
            now = self._sum(path)
            if now is None or now != before.get(path):
                found.append(self._read(path, before.get(path), now))
        return found

    def _read(self, path: str, before: str | None, now: str | None) -> Reason:
        """The reason that an input differs; of a data set outside, with the counts of its files."""
        if path == layout.FINGERPRINT and now and before:
            file = self.folder / path
            known = file.is_file() and md5(file.read_bytes()).hexdigest() == before
            old = read_as_dvc(file.read_text()) if known else None
            return Reason(DATA, path, old, read_as_dvc(self.texts.get(path) or file.read_text()))
        return Reason(self._kind(path), path, before, MISSING if now is None else NEW if before is None else CHANGED)

    def _writes(self, stage: Stage, recorded: Mapping[str, Any]) -> list[Reason]:
        before = {entry["path"]: entry.get("md5") for entry in recorded.get("outs") or ()}
        found = []
        for path, kept in stage.writes.items():
            now = self._sum(path)
            if now is None:
                found.append(Reason(OUTPUT, path, before.get(path), MISSING))
            elif now != before.get(path):
                found.append(Reason(OUTPUT, path, before.get(path), CHANGED))
            elif kept and not self.cache.has(now):
                found.append(Reason(OUTPUT, path, now, "not in the cache of DVC"))
        return found

    def _kind(self, path: str) -> str:
        if path in (layout.CATALOGUE, layout.TRUSTED) or path.startswith(f"{layout.METRICS}/"):
            return CODE
        own = {str(self.data.get(key)) for key in ("labels", "second_labels")}
        if path in own or path.startswith(f"{layout.BOXES}/"):
            return LABELS
        return DATA if path in (layout.FINGERPRINT, self.data.get("source"), self.data.get("root")) else INPUT

    def _sum(self, path: str) -> str | None:
        if path in self.texts:
            return md5(self.texts[path].encode()).hexdigest()
        return self.sums.of(path)

    def _content(self, file: str) -> Any:
        if file not in self._parsed:
            path, text = self.folder / file, self.texts.get(file)
            if text is None:
                text = path.read_text() if path.is_file() else ""
            self._parsed[file] = read_as_dvc(text)
        return self._parsed[file]


ABSENT = object()


def _at(content: Any, key: str) -> Any:
    """The value at a dotted key, or ABSENT. dvc.lock has the dotted key itself as a key."""
    if content is None or not key:
        return ABSENT if content is None else content
    if isinstance(content, Mapping) and key in content:
        return content[key]
    for part in key.split("."):
        if not isinstance(content, Mapping) or part not in content:
            return ABSENT
        content = content[part]
    return content


def _leaves(key: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """The values that differ, each with its dotted key."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for part in old.keys() | new.keys():
            yield from _leaves(f"{key}.{part}" if key else str(part), old.get(part, ABSENT), new.get(part, ABSENT))
    elif old != new or old is ABSENT:
        yield key, old, new


def _shown(value: Any) -> Any:
    return None if value is ABSENT else value


def _command(old: Any, new: Any) -> Iterator[Reason]:
    """What differs in a command, option by option."""
    if old == new:
        return
    before, after = _options(str(old)), _options(str(new))
    differing = [option for option in dict.fromkeys([*after, *before]) if before.get(option) != after.get(option)]
    for option in differing:
        yield Reason(COMMAND, option, before.get(option), after.get(option))
    if not differing:
        yield Reason(COMMAND, "command", old, new)


def _options(command: str) -> dict[str, str]:
    """The words of a command by the option before them, up to `||`; those before the first are under "program"."""
    found: dict[str, list[str]] = {"program": []}
    name = "program"
    for word in shlex.split(command.partition(" || ")[0]):
        if word.startswith("--"):
            name = word
            found[name] = []
        else:
            found[name].append(word)
    return {option: " ".join(words) for option, words in found.items()}
