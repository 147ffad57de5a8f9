"""What a program printed, in a form that is the same on every machine and short enough for the model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from metricloop.text.clean import printable

MOST = 1800  # characters
MOST_READ, LONGEST_LINE = 20_000, 1000  # characters that are looked at: a program may print anything
FRAME = re.compile(r'^\s*File "(.+)", line \d+')
LIBRARY = re.compile(r"(^|/)(site-packages|dist-packages|lib/python3\.\d+|metricloop/sandbox)/|^<frozen ")
CARETS = re.compile(r"^\s*[~^]+\s*$")
WARNING = re.compile(r"^\S*(site-packages|dist-packages|lib/python3\.\d+)\S*:\d+: \w*Warning")
SAME = (
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "0x..."),
    (re.compile(r"\b\d+\.\d+ ?(s|ms|seconds)\b"), "... s"),
    (re.compile(r"/[^\s\"':]{0,200}/(?:site|dist)-packages/"), ""),
    (re.compile(r"/[^\s\"':]{0,200}/lib/python3\.\d+/"), ""),
    (re.compile(r"/tmp/[\w./-]*"), "TMP"),
    (re.compile(r"pytest-\d+/"), ""),
)


def same_everywhere(text: str, most: int = MOST) -> str:
    """The end of a text, without what differs between machines: frames of libraries, addresses, paths and times."""
    lines = [line[:LONGEST_LINE] for line in printable(text[-MOST_READ:]).splitlines()]
    text = "\n".join(_kept(lines)).strip()
    for pattern, word in SAME:
        text = pattern.sub(word, text)
    if len(text) <= most:
        return text
    return "... " + text[-most:].partition("\n")[2] if "\n" in text[-most:] else "... " + text[-most:]


def _kept(lines: list[str]) -> Iterator[str]:
    """The lines without frames of libraries, marks under a line of code, and warnings of libraries."""
    hidden = False  # in a frame of a library: its lines are indented
    for line in lines:
        if found := FRAME.match(line):
            hidden = bool(LIBRARY.search(found[1]))
        elif WARNING.match(line):
            hidden = True
            continue
        elif hidden and not line.startswith("  "):
            hidden = False
        if not hidden and not CARETS.match(line):
            yield line
