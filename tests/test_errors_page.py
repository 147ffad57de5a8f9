"""docs/errors.md quotes messages that the program can print: each stands in the code, with "…" for what differs."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUOTED = re.findall(r"^```output\n(.+?)\n```$", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE | re.DOTALL)


@cache
def strings_in_code() -> list[str]:
    """All texts of the code, with "…" for every value that is filled in."""
    texts = []
    for folder in ("metricloop", "flows", "tasks"):
        for file in (ROOT / folder).rglob("*.py"):
            texts += [_text(node) for node in ast.walk(ast.parse(file.read_text()))]
    return [text for text in texts if text]


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
        return re.sub("…+", "…", "".join(map(str, parts)))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def stands_in_code(message: str) -> bool:
    """Whether one text of the code contains the message."""
    return any(message.strip("…") in text for text in strings_in_code())


@pytest.mark.parametrize("message", QUOTED)
def test_every_message_quoted_is_one_that_the_program_prints(message):
    assert len(message.strip("… ")) > 12
    assert stands_in_code(message)


def test_a_message_that_has_changed_would_be_found():
    assert len(QUOTED) > 20
    assert not stands_in_code(QUOTED[0].replace("workspace", "work space"))
