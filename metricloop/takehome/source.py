"""What the source code of an application says, read from its syntax tree; nothing is executed."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from metricloop.takehome.contract import PACKAGES

EMPTY = ast.parse("")


def parsed(text: str) -> ast.Module:
    """The syntax tree of a file; an empty one when it is not Python, which ruff tells the model."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return EMPTY


def code_lines(text: str) -> int:
    """Lines with code: neither blank nor comment alone nor docstring.

    >>> code_lines('"Says it."\\n\\n# why\\nx = 1\\ny = (\\n    2\\n)\\n')
    4
    """
    lines: set[int] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
                lines |= set(range(token.start[0], token.end[0] + 1)) if token.string else set()
    except (tokenize.TokenError, SyntaxError):
        return len([line for line in text.splitlines() if line.strip()])
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def modules(files: Iterable[str]) -> set[str]:
    """The names under which the Python files of an application can be imported, such as app and shop.model."""
    found = set()
    for name in files:
        if name.endswith(".py"):
            parts = module_of(name).split(".")
            found |= {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return found - {""}


def module_of(path: str) -> str:
    """The name under which a Python file is imported: shop/model.py as shop.model, shop/__init__.py as shop."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(text: str) -> set[str]:
    """Full names that a file imports; of `from a import b`, both a and a.b. Relative ones begin with a dot."""
    found: set[str] = set()
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            found |= {start} | {f"{start}.{alias.name}" for alias in node.names}
    return found


def local_imports(text: str, names: set[str], own: str) -> set[str]:
    """The modules of the application that a file imports, without packages that only hold them."""
    found = {name for name in imports(text) if name in names and name != own.removesuffix(".py")}
    return {name for name in found if not any(other.startswith(f"{name}.") for other in found)}


def foreign_imports(files: Mapping[str, str]) -> set[str]:
    """The top-level names of packages that the application imports: neither its own nor of the standard library."""
    own = {name.partition(".")[0] for name in modules(files)}
    found = {
        name.partition(".")[0]
        for path, text in files.items()
        if path.endswith(".py")
        for name in imports(text)
        if not name.startswith(".")
    }
    return found - own - set(sys.stdlib_module_names)


def packages_of(names: Iterable[str]) -> set[str]:
    """The packages to install for these imports; a name that is not on our list is its own package."""
    return {PACKAGES.get(name, name.lower()) for name in names}
