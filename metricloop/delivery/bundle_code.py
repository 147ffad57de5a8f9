"""Copy the code that a bundle's server needs out of metricloop, as a package that does without it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import metricloop

HOME = Path(metricloop.__file__).parent
ENTRY = "metricloop.delivery.bundle_main"
PACKAGE = "detector_server"


class BundleError(RuntimeError):
    """A bundle cannot be written; the message says why and what to do."""


def copy_server(target: Path) -> set[str]:
    """Write the package PACKAGE into `target`: the entry point and every module that it imports, directly or not.

    Returns the top-level names of what the copies import from elsewhere, without the standard library.
    Errors: BundleError when a copy would still import metricloop, or a module that was not copied.
    """
    package = target / PACKAGE
    for module in sorted(modules_needed()):
        source = _file(module)
        place = package / ("__main__.py" if module == ENTRY else source.relative_to(HOME))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(renamed(source.read_text("utf-8")), "utf-8")
        for beside in source.parent.iterdir():  # pages that the code shows
            if beside.is_file() and beside.suffix == ".html":
                (place.parent / beside.name).write_bytes(beside.read_bytes())
    for folder in {package, *(file.parent for file in package.rglob("*.py"))}:
        (folder / "__init__.py").write_text('"""Copied from metricloop by `metricloop bundle`."""\n')
    return check_imports(package)


def modules_needed(entry: str = ENTRY) -> set[str]:
    """`entry` and all modules of metricloop that it imports, directly or through others."""
    needed, waiting = set(), [entry]
    while waiting:
        module = waiting.pop()
        if module not in needed:
            needed.add(module)
            waiting += [name for name in imports(_file(module).read_text("utf-8")) if _file(name).is_file()]
    return needed


def renamed(text: str) -> str:
    """A module's text with the package `metricloop` renamed, wherever one of its modules is named.

    >>> renamed("from metricloop.data.pictures import decode  # metricloop reads pictures so")
    'from detector_server.data.pictures import decode  # metricloop reads pictures so'
    """
    return re.sub(r"\bmetricloop\.(?=[a-z_])", f"{PACKAGE}.", text)


def check_imports(package: Path) -> set[str]:
    """The top-level names that a written package imports from elsewhere. Errors: BundleError, see `copy_server`."""
    outside = set()
    for file in package.rglob("*.py"):
        for name in imports(file.read_text("utf-8")):
            top = name.partition(".")[0]
            if top == "metricloop":
                raise BundleError(f"the copy {file} still imports {name}; this is a mistake in metricloop")
            if top != PACKAGE:
                outside.add(top)
    return outside - set(sys.stdlib_module_names)


def imports(text: str) -> Iterator[str]:
    """Full names that a module imports anywhere, but not for type checking alone.

    `from a.b import c` gives both a.b and a.b.c, because c may be a module. Where the code does without a package
    (`except ImportError`), it counts only if it is installed here.
    """
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Try) and any("ImportError" in ast.unparse(handler) for handler in node.handlers):
            waiting += [part for part in node.body if not _is_absent(part)]
            waiting += [*node.handlers, *node.orelse, *node.finalbody]
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise BundleError(f"a relative import in line {node.lineno}; write the module's full name")
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def _is_absent(node: ast.AST) -> bool:
    """Whether a statement imports a package that is not installed here."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module]
    return any(find_spec(name.partition(".")[0]) is None for name in names)


def _file(module: str) -> Path:
    """Where a module of metricloop is; a path that does not exist for a name that is none."""
    first, *rest = module.split(".")
    return HOME.joinpath(*rest).with_suffix(".py") if first == "metricloop" and rest else Path("/nowhere")
