"""Which source files a stage runs, and their digest, so that an edited step counts as changed.

The files are found by following the imports of `tasks/STAGE.py` through our own packages. In the repository's root
dvc.yaml lists them; in any other workspace `code.yaml` holds one digest a stage, because the files lie outside it.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from detection.tables import read_yaml
from metrics.digest import closure, file_of

HOME = Path(__file__).resolve().parent.parent
PACKAGES = ("tasks", "metrics", "sandbox", "detection")
STAGES = ("draw", "ingest", "predict", "embed", "score", "select", "train", "evaluate", "compare", "confirm")
# Files that shape no result: watching processes, describing parameters.
NEUTRAL = frozenset({"tasks.guard", "tasks.code", "tasks.params", "detection.settings"})


class CodeChangedError(RuntimeError):
    """code.yaml was written for another version of this step."""


@cache
def sources(stage: str) -> tuple[str, ...]:
    """Files that `tasks/STAGE.py` imports, itself included, relative to the repository's root, sorted."""
    files = {path.relative_to(HOME).as_posix() for path in closure([f"tasks.{stage}"], PACKAGES, NEUTRAL)}
    if stage == "score":
        files |= {path.relative_to(HOME).as_posix() for path in (HOME / "metrics" / "catalogue").glob("*.py")}
        files |= {"sandbox/zygote.py", "sandbox/selftest_inside.py"}  # started by name
    if "detection/detectors.py" in files:
        files.add("detection/backbones/drawn_animals.pt")
    return tuple(sorted(files))


def digests() -> dict[str, str]:
    """One digest a stage: what code.yaml holds."""
    return {stage: stage_digest(stage) for stage in STAGES if file_of(f"tasks.{stage}")}


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
