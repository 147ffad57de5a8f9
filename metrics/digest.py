"""What a score depends on besides its frame: the code of a metric and of all that it imports, as one digest."""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from metrics.contract import Metric

HOME = Path(__file__).resolve().parent.parent
OURS = ("metrics", "detection")
LIBRARIES = {"numpy": "numpy", "cv2": "opencv-python-headless", "scipy": "scipy"}  # module: distribution


@cache
def digest_of(metric: Metric) -> str | None:
    """The digest of a metric that runs in this process; None where it imports something whose code is not followed:
    such a metric's scores cannot be kept.
    """
    file = metric.__code__.co_filename
    text = "".join(linecache.getlines(file)) or None
    return text and digest_of_text(text)


@cache
def digest_of_text(text: str) -> str | None:
    """The same of a file of metrics as text."""
    try:
        names = imported(ast.parse(text))
    except SyntaxError:
        return None
    own = {name for name in names if name.partition(".")[0] in OURS}
    known = {*OURS, *LIBRARIES, *sys.stdlib_module_names}
    if any(name.partition(".")[0] not in known for name in names):
        return None
    total = hashlib.sha256(text.encode())
    for path in closure(own, OURS):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    total.update("".join(version(name) for name in LIBRARIES.values()).encode())
    return total.hexdigest()


def closure(modules: Iterable[str], packages: tuple[str, ...], without: frozenset[str] = frozenset()) -> list[Path]:
    """The files of `modules` and of everything they import out of `packages`, at any remove, sorted."""
    seen: dict[str, Path] = {}
    queue = list(modules)
    while queue:
        module = queue.pop()
        path = file_of(module)
        if path is None or module in seen or module in without:
            continue
        seen[module] = path
        queue += [name for name in imported(_parsed(path)) if name.partition(".")[0] in packages]
    return sorted(set(seen.values()))


def imported(tree: ast.AST) -> list[str]:
    """The names of modules that code imports; `from a import b` may mean both `a` and `a.b`."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def file_of(module: str) -> Path | None:
    """The source file of one of our modules; None where there is none."""
    base = HOME.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def _parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text())
