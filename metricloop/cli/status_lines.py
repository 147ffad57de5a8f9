"""What `metricloop status` prints of the stages: their state, and why those to do are out of date."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from metricloop import layout
from metricloop.study.graph import by_kind
from metricloop.study.reasons import CODE, COMMAND, DATA, INPUT, LABELS, MISSING, NEVER, OUTPUT, PARAMETER, Reason
from metricloop.study.staleness import Staleness
from metricloop.text.numbers import count

INDENT = " " * 12
MOST = 5  # names, files or values that are listed one by one
SHOWN = 60  # characters of a value
READ = {DATA: "data", LABELS: "labels", INPUT: "input"}  # kinds of reasons in what a stage reads


def status_lines(found: Staleness, now: Collection[str] = ()) -> list[str]:
    """The state of all stages, those with the same reasons together; lines as wide as the terminal.

    now: stages that run now, whose outputs come and go.
    """
    running = [name for name in found.stages if name in now]
    waiting = [name for name in found.old if name not in now and (name in found.waiting or _only_waits(found, name))]
    todo = [name for name in found.old if name not in now and name not in waiting]
    lines = list(_entry("runs now", [by_kind(running)])) if running else []
    lines += list(_entry("up to date", [by_kind(found.fresh)])) if found.fresh else []
    for names, reasons in _alike(todo, found.why):
        lines += _entry("to do", [by_kind(names), *reason_lines(reasons)])
    if waiting:
        lines += _entry("waits", [by_kind(waiting), "these run only if what they read comes out different"])
    if not found.old:
        return [*lines, f"all {count(len(found.stages), 'stage')} are up to date: nothing to do"]
    line = f"{len(found.fresh)} of {count(len(found.stages), 'stage')} up to date, {len(todo)} to do"
    return [*lines, f"{line}, {len(waiting)} waiting" if waiting else line]


def describe_splits(summary: dict[str, Any]) -> str:
    """The images, boxes and crowd regions of each split, in one line; "" before they are known.

    >>> describe_splits({"splits": {"pool": {"images": 1, "boxes": 5, "crowd": 2}}})
    'pool 1 image, 3 boxes and 2 crowd regions'
    """
    parts = []
    for name, own in summary.get("splits", {}).items():
        crowds = own.get("crowd", 0)
        line = f"{name} {count(own['images'], 'image')}, {count(own['boxes'] - crowds, 'box', 'boxes')}"
        parts.append(line + (f" and {count(crowds, 'crowd region')}" if crowds else ""))
    return "; ".join(parts)


def reason_lines(reasons: Iterable[Reason]) -> list[str]:
    """The reasons in words, one line each; files of code and outputs of one state share a line."""
    lines, code = list[str](), list[str]()
    outputs: dict[Any, list[str]] = {}
    for reason in reasons:
        if reason.kind == CODE:
            code.append(_code(reason))
        elif reason.kind == OUTPUT:
            outputs.setdefault(reason.new, []).append(reason.what)
        else:
            lines.append(_line(reason))
    lines = list(dict.fromkeys(lines))
    if len(lines) > 2 * MOST:
        lines = [*lines[: 2 * MOST], f"and {len(lines) - 2 * MOST} more"]
    lines = [f"code changed: {few(code)}"] * bool(code) + lines
    return lines + [f"output {state}: {few(paths)}" for state, paths in outputs.items()]


def _line(reason: Reason) -> str:
    if reason.kind == NEVER:
        return "never ran"
    if reason.kind == PARAMETER:
        return f"parameter {reason.what}: {_value(reason.old)} -> {_value(reason.new)}"
    if reason.kind == COMMAND:
        return f"plan, {reason.what.lstrip('-')}: {_value(reason.old)} -> {_value(reason.new)}"
    state = reason.new if isinstance(reason.new, str) else "changed"
    if reason.what == layout.FINGERPRINT:
        return f"data {state}: {_files(reason.old)} -> {_files(reason.new)}"
    return f"{READ[reason.kind]} {state}: {reason.what}"


def _code(reason: Reason) -> str:
    named = {"detector": "the detector's", "weights": "train.weights", "embed_weights": "embed.weights"}
    return named.get(reason.what, reason.what if "/" in reason.what else "the stage's own")


def _files(found: Any) -> str:
    if not isinstance(found, Mapping):
        return "unknown"
    return f"{count(found['files'], 'file')}, {found['bytes'] / 1e6:.1f} MB"


def _value(value: Any) -> str:
    return "not set" if value is None else textwrap.shorten(str(value) or "empty", SHOWN, placeholder=" ...")


def few(words: Iterable[str], most: int = MOST) -> str:
    """The first words, and how many more there are.

    >>> few(["ingest", "train", "compare"], most=2)
    'ingest, train and 1 more'
    """
    words = list(dict.fromkeys(words))
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _only_waits(found: Staleness, name: str) -> bool:
    """Whether a stage is out of date only because inputs are gone that an earlier stage will write again."""
    reasons = found.why.get(name, ())
    lost = {reason.what for own in found.why.values() for reason in own if reason.kind == OUTPUT}
    return bool(reasons) and all(
        reason.kind != OUTPUT and reason.new == MISSING and _made_again(reason.what, lost) for reason in reasons
    )


def _made_again(path: str, lost: set[str]) -> bool:
    return any(path == other or other.startswith(f"{path}/") or path.startswith(f"{other}/") for other in lost)


def _alike(names: Sequence[str], why: Mapping[str, Sequence[Reason]]) -> Iterator[tuple[list[str], list[Reason]]]:
    """The stages that have the same reasons, together. Which of its own outputs a stage lacks makes no difference."""
    groups: dict[Any, list[str]] = {}
    for name in names:
        alike = [
            (r.kind, str(r.new)) if r.kind == OUTPUT else (r.kind, r.what, str(r.old), str(r.new))
            for r in why.get(name, ())
        ]
        groups.setdefault(tuple(dict.fromkeys(alike)), []).append(name)
    for own in groups.values():
        yield own, [reason for name in own for reason in why.get(name, ())]


def _entry(state: str, texts: Sequence[str]) -> Iterator[str]:
    """The state and what stands behind it, each text on lines of its own."""
    width = max(shutil.get_terminal_size((80, 24)).columns, 60)
    for number, text in enumerate(texts):
        first = f"{state:<12}" if not number else INDENT
        yield from textwrap.wrap(
            text, width, initial_indent=first, subsequent_indent=INDENT + "  " * bool(number),
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
