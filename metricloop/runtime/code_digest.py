"""Which source files a stage runs, and their digest, so that an edited step counts as changed.

The files are found by following the imports of `tasks/STAGE.py` through our own package. `code.yaml` of a workspace
holds one digest per stage, because the files lie outside the workspace. Comments, docstrings and blank lines do not
count: they change no result.
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
from metricloop.data.tables import read_yaml

HOME = Path(__file__).resolve().parents[2]  # the folder that holds the package
PACKAGE = "metricloop"
TASKS = f"{PACKAGE}.tasks"
# Modules that shape no result: watching processes, describing parameters, checking what people write.
NEUTRAL = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "runtime.stage_start",
        "runtime.code_digest",
        "runtime.progress",
        "training.parallel",
        "params",
        "config",
        "layout",
        "study.plan",
    )
)
# Packages that find their modules by listing their folder: no import statement names them.
FOUND_BY_FOLDER = frozenset(
    f"{PACKAGE}.{name}" for name in ("selection.policies", "data.readers", "detector.architectures")
)


class CodeChangedError(RuntimeError):
    """code.yaml was written for another version of this step."""


@cache
def sources(stage: str) -> tuple[str, ...]:
    """Files that `tasks/STAGE.py` imports, itself included, relative to HOME, sorted."""
    files = {_name(path) for path in closure([f"{TASKS}.{stage}"], NEUTRAL)}
    if stage == "score":
        files |= {_name(path) for path in _catalogue()}
        files |= {f"{PACKAGE}/sandbox/zygote.py", f"{PACKAGE}/sandbox/selftest_inside.py"}  # started by name
    if f"{PACKAGE}/detector/detectors.py" in files:
        files.add(f"{PACKAGE}/detector/backbones/drawn_animals.pt")
    return tuple(sorted(files))


def digests(stages: Iterable[str]) -> dict[str, str]:
    """One digest per stage: what code.yaml holds."""
    return {stage: stage_digest(stage) for stage in stages}


def stage_digest(stage: str) -> str:
    """The digest of one stage's code."""
    return digest_of_files(sources(stage))


def catalogue_digests() -> dict[str, str]:
    """One digest per module of the metric catalogue: what metrics/catalogue.yaml of a workspace holds."""
    return {path.stem: digest_of_files([_name(path)]) for path in _catalogue()}


def check_code(stage: str, folder: Path = Path()) -> None:
    """Compare the running code of `stage` with code.yaml, where the workspace has one.

    Errors: CodeChangedError when they differ, so that no result is filed under code that did not make it.
    """
    path = folder / "code.yaml"
    if not path.is_file():
        return
    recorded = read_yaml(path).get(stage)
    if recorded != stage_digest(stage):
        raise CodeChangedError(
            f"the code of stage {stage!r} is not the one in {path}; "
            "run `metricloop run`, which refreshes code.yaml, instead of `dvc repro`"
        )


def closure(modules: Iterable[str], without: frozenset[str] = frozenset()) -> list[Path]:
    """The files of `modules` and of everything they import out of our package, directly or not, sorted."""
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


def digest_of_files(names: Iterable[str]) -> str:
    """One digest over files named relative to HOME; of Python files what runs, of others every byte."""
    total = hashlib.sha256()
    for name in names:
        path = HOME / name
        content = running_code(path.read_text()).encode() if path.suffix == ".py" else path.read_bytes()
        total.update(path.name.encode() + b"\0" + content + b"\0")
    return total.hexdigest()[:16]


@cache
def running_code(text: str) -> str:
    """Python source without its comments, docstrings and blank lines; the same in every version of Python."""
    drop = [(token.start, token.end) for token in _tokens(text) if token.type == tokenize.COMMENT]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                drop.append((_start(first, text), _end(first, text)))
    lines = text.splitlines()
    for (row, column), (last, end) in sorted(drop, reverse=True):
        lines[row - 1 : last] = [lines[row - 1][:column] + lines[last - 1][end:]]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _tokens(text: str) -> Iterable[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def _start(node: ast.stmt, text: str) -> tuple[int, int]:
    """Where a node begins, its column in letters: ast counts bytes."""
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
