"""A digest of the source files that a stage runs, so that DVC runs the stage again when its code was edited.

The files are found by following the imports of `tasks/STAGE.py` through our own package. They lie outside the
workspace, so code.yaml in the workspace holds one digest per stage. Comments, docstrings and blank lines do not count,
because they change no result.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import metricloop
from metricloop import layout
from metricloop.data.tables import read_yaml

HOME = Path(__file__).resolve().parents[2]  # the folder that holds the package
PACKAGE = "metricloop"
TASKS = f"{PACKAGE}.tasks"
# Modules that change no result: what fetches files, whose content counts; processes, progress, descriptions of
# parameters, checks of what people write.
NEUTRAL = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "data.remote",
        "data.picture_cache",
        "data.storage",
        "runtime.stage_start",
        "runtime.code_digest",
        "runtime.progress",
        "params",
        "config",
        "layout",
        "execution.engine",
        "execution.local",
        "execution.store",
        "training.parallel",
        "study.plan",
    )
)
# Packages that find their modules by listing their folder: no import statement names them.
FOUND_BY_FOLDER = frozenset(f"{PACKAGE}.{name}" for name in ("selection.policies", "data.readers", "metrics.repairs"))
# Of these only the one that a study uses counts, under a key of its own: see `detector_digest`.
ARCHITECTURES = f"{PACKAGE}.detector.architectures"
CATALOGUE = f"{PACKAGE}.metrics.catalogue"


class CodeChangedError(RuntimeError):
    """code.yaml was written for another version of this stage's code."""


@cache
def sources(stage: str) -> tuple[str, ...]:
    """`tasks/STAGE.py` and all files that it imports, directly or not; relative to HOME, sorted."""
    catalogue = [f"{CATALOGUE}.{path.stem}" for path in _catalogue()] if stage == "score" else []
    files = {_name(path) for path in closure([f"{TASKS}.{stage}", *catalogue], NEUTRAL)}
    if stage in ("score", "mend"):
        # Started as programs, so no import names them.
        files |= {f"{PACKAGE}/sandbox/zygote.py", f"{PACKAGE}/sandbox/selftest_inside.py"}
    if f"{PACKAGE}/detector/detectors.py" in files:
        files.add(f"{PACKAGE}/detector/backbones/drawn_animals.pt")
    return tuple(sorted(files))


def digests(stages: Iterable[str]) -> dict[str, str]:
    """One digest per stage: the content of code.yaml."""
    return {stage: stage_digest(stage) for stage in stages}


def stage_digest(stage: str) -> str:
    """The digest of one stage's code."""
    return digest_of_files(sources(stage))


def detector_digest(name: str) -> str:
    """The digest of one detector's module and of what it imports; a new detector changes no other's."""
    return digest_of_files(_name(path) for path in closure([f"{ARCHITECTURES}.{name}"], NEUTRAL))


def catalogue_digests() -> dict[str, str]:
    """One digest per module of the metric catalogue, with what it imports: the content of metrics/catalogue.yaml."""
    modules = {path.stem: closure([f"{CATALOGUE}.{path.stem}"], NEUTRAL) for path in _catalogue()}
    return {name: digest_of_files(map(_name, files)) for name, files in modules.items()}


def check_code(stage: str, folder: Path = Path()) -> None:
    """Compare the running code of `stage` with code.yaml; without that file nothing is checked.

    Errors: CodeChangedError when they differ: the result would be recorded with the digest of other code.
    """
    path = folder / layout.CODE
    if not path.is_file():
        return
    recorded = read_yaml(path).get(stage)
    if recorded != stage_digest(stage):
        raise CodeChangedError(
            f"the code of stage {stage!r} has changed since {path} was written; run `metricloop run`, which updates "
            "that file, instead of `dvc repro`"
        )


def closure(modules: Iterable[str], without: frozenset[str] = frozenset()) -> list[Path]:
    """The files of `modules` and of all modules of our package that they import, directly or not; sorted."""
    seen: dict[str, Path] = {}
    queue = list(modules)
    while queue:
        module = queue.pop()
        module = metricloop.HOMES.get(module.removeprefix(f"{PACKAGE}."), module)  # a public name stands for its module
        path = file_of(module) if module != PACKAGE else None
        if path is None or module in seen or module in without:
            continue
        seen[module] = path
        if module in FOUND_BY_FOLDER:
            queue += [f"{module}.{file.stem}" for file in path.parent.glob("[!_]*.py")]
        queue += [name for name in imported(_parsed(path)) if name.partition(".")[0] == PACKAGE]
    return sorted(set(seen.values()))


def imported(tree: ast.AST) -> list[str]:
    """The names of modules that code imports; `from a import b` gives `a` and `a.b`."""
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


def digest_of_files(names: Iterable[str]) -> str:
    """One digest over files, named relative to HOME: of `running_code` for Python files, of all bytes for others."""
    total = hashlib.sha256()
    for name in names:
        path = HOME / name
        content = running_code(path.read_text()).encode() if path.suffix == ".py" else path.read_bytes()
        total.update(path.name.encode() + b"\0" + content + b"\0")
    return total.hexdigest()[:16]


@cache
def running_code(text: str) -> str:
    """Python source without comments, docstrings and blank lines; the result is the same in every Python version.

    Lines within a string stay as they are.
    """
    drop = [(token.start, token.end) for token in _tokens(text) if token.type == tokenize.COMMENT]
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                drop.append((_start(first, text), _end(first, text)))
    lines = text.splitlines()
    for (row, column), (last, end) in sorted(drop, reverse=True):
        lines[row - 1 : last] = [lines[row - 1][:column] + lines[last - 1][end:], *[""] * (last - row)]
    gone = {row for (first, _), (last, _) in drop for row in range(first, last + 1)}
    in_string = {
        row
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)))
        for row in range(node.lineno, node.end_lineno or node.lineno)  # all lines but the last end within the string
    } - gone
    numbered = enumerate(lines, start=1)
    return "\n".join(
        line if row in in_string else line.rstrip() for row, line in numbered if line.strip() or row in in_string
    )


def _tokens(text: str) -> Iterable[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def _start(node: ast.stmt, text: str) -> tuple[int, int]:
    """Line and column where a node begins. The column counts characters; ast counts bytes."""
    line = text.splitlines()[node.lineno - 1].encode()
    return node.lineno, len(line[: node.col_offset].decode())


def _end(node: ast.stmt, text: str) -> tuple[int, int]:
    last = node.end_lineno or node.lineno
    line = text.splitlines()[last - 1].encode()
    return last, len(line[: node.end_col_offset].decode())


@cache
def _parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text())


def _catalogue() -> list[Path]:
    return sorted((HOME / PACKAGE / "metrics" / "catalogue").glob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(HOME).as_posix()
