"""Which source files a stage runs, and their digest, so that an edited step counts as changed.

The files are found by following the imports of `tasks/STAGE.py` through our own packages. In the repository's root
dvc.yaml lists them; in any other workspace `code.yaml` holds one digest a stage, because the files lie outside it.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from detection.tables import read_yaml

HOME = Path(__file__).resolve().parent.parent
PACKAGES = ("tasks", "metrics", "sandbox", "detection")
STAGES = ("draw", "ingest", "predict", "score", "select", "train", "evaluate", "compare", "confirm")
# Files that shape no result: watching processes, describing parameters.
NEUTRAL = {"tasks.guard", "tasks.code", "tasks.params", "detection.settings"}


class CodeChangedError(RuntimeError):
    """code.yaml was written for another version of this step."""


@cache
def sources(stage: str) -> tuple[str, ...]:
    """Files that `tasks/STAGE.py` imports, itself included, relative to the repository's root, sorted."""
    seen: set[str] = set()
    queue = [f"tasks.{stage}"]
    while queue:
        module = queue.pop()
        path = _file(module)
        if path is None or module in seen or module in NEUTRAL:
            continue
        seen.add(module)
        queue += [name for name in _imports(path) if name.partition(".")[0] in PACKAGES]
    files = {path.relative_to(HOME).as_posix() for module in seen if (path := _file(module))}
    if stage == "score":
        files |= {path.relative_to(HOME).as_posix() for path in (HOME / "metrics" / "catalogue").glob("*.py")}
        files |= {"sandbox/zygote.py", "sandbox/selftest_inside.py"}  # started by name
    if "detection.detectors" in seen:
        files.add("detection/backbones/drawn_animals.pt")
    return tuple(sorted(files))


def digests() -> dict[str, str]:
    """One digest a stage: what code.yaml holds."""
    return {stage: stage_digest(stage) for stage in STAGES if _file(f"tasks.{stage}")}


def stage_digest(stage: str) -> str:
    """The digest of one stage's code."""
    return _digest(sources(stage))


def catalogue_digests() -> dict[str, str]:
    """One digest a module of the metric catalogue: what metrics/catalogue.yaml of a workspace holds."""
    return {path.stem: _digest([path]) for path in sorted((HOME / "metrics" / "catalogue").glob("*.py"))}


def check_code(stage: str, folder: Path = Path()) -> None:
    """Hold the running code of `stage` to code.yaml, where the workspace has one.

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


def _digest(files) -> str:
    total = hashlib.sha256()
    for name in files:
        total.update(Path(name).name.encode() + b"\0" + (HOME / name).read_bytes() + b"\0")
    return total.hexdigest()[:16]


def _file(module: str) -> Path | None:
    base = HOME.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
