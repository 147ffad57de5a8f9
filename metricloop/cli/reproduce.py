"""`metricloop reproduce BLOCK`: compute a block again from its inputs alone, elsewhere, and compare every number."""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.tables import read_json
from metricloop.params import load_params
from metricloop.study.commits import WorkspaceError
from metricloop.study.data_files import check_there
from metricloop.study.dvc_commands import dvc
from metricloop.study.environment import environment
from metricloop.study.plan import entry_of, load_plan
from metricloop.study.processes import call, say
from metricloop.study.refresh import refresh_code
from metricloop.text.shell import command_line, run_line

RECORDS = (layout.PARAMS, layout.ARMS, layout.ROUNDS, layout.STAGES, layout.LOCK, layout.CODE, layout.CATEGORIES,
           layout.FINGERPRINT)  # fmt: skip
TOLERANCE = {"cpu": 0.0, "cuda": 0.005}  # absolute, on numbers in 0..1; a GPU's kernels are not all deterministic


def reproduce_block(workspace: Path, block: str) -> list[str]:
    """Clone the workspace's last commit, pull inputs only, train and evaluate again; a line per number that differs.

    Errors: WorkspaceError when there is no result to compare with, StageError when a stage fails.
    """
    arm = entry_of(load_plan(workspace), "blocks", block)["arm"]
    check_there(workspace, load_params(workspace / layout.PARAMS).data, pictures=True)
    recorded = workspace / layout.numbers_file(block)
    if not recorded.is_file():
        raise WorkspaceError(f"{block} has no results here; run the study first: {run_line(workspace)}")
    with tempfile.TemporaryDirectory(prefix="metricloop-reproduce-") as scratch:
        clone = Path(scratch) / "clone"
        _run(workspace, ["git", "clone", "--quiet", str(workspace), str(clone)])
        for name in RECORDS:  # as they are now, committed or not
            if (workspace / name).is_file():
                shutil.copyfile(workspace / name, clone / name)
        # the workspace's own cache serves as the remote that inputs are pulled from
        _run(clone, dvc("remote", "add", "--force", "--local", "origin-cache", str(_cache(workspace))))
        inputs = [layout.IMAGES, layout.boxes_file("search"), layout.subset_file(arm)]
        inputs += [name for name in (layout.SOURCE, f"{layout.SOURCE}.dvc") if _tracked(clone, name)]
        say(f"pulling inputs of {block} into a fresh clone: {', '.join(inputs)}")
        _run(clone, dvc("pull", "--remote", "origin-cache", *inputs))
        refresh_code(clone)
        call(
            clone,
            dvc("repro", "--force", "--single-item", f"train@{block}", f"evaluate@{block}"),
            f"reproduce {block}",
            again=command_line("metricloop", "reproduce", block, "-C", workspace),
        )
        again = read_json(clone / layout.numbers_file(block))["seeds"]
        device = read_json(clone / layout.recipe_file(block))["fields"]["device"]
    then = read_json(workspace / layout.recipe_file(block))["fields"]["device"]
    if then != device:
        return [f"recorded on {then}, computed again on {device}: not comparable number by number"]
    return list(differences(read_json(recorded)["seeds"], again, TOLERANCE[device]))


def differences(recorded: Any, again: Any, tolerance: float, path: str = ""):
    """A line for every number in which two nested results differ by more than `tolerance`."""
    if isinstance(recorded, dict) and isinstance(again, dict):
        for key in sorted(recorded.keys() | again.keys()):
            yield from differences(recorded.get(key), again.get(key), tolerance, f"{path}.{key}" if path else key)
    elif isinstance(recorded, float | int) and isinstance(again, float | int):
        if not math.isclose(recorded, again, rel_tol=0, abs_tol=tolerance):
            yield f"{path}: recorded {recorded}, now {again}"
    elif recorded != again:
        yield f"{path}: recorded {recorded}, now {again}"


def _cache(workspace: Path) -> Path:
    """Where the workspace's DVC cache lies."""
    return Path(_run(workspace, dvc("cache", "dir")).strip())


def _tracked(clone: Path, name: str) -> bool:
    if name.endswith(".dvc"):
        return (clone / name).is_file()
    return "- source" in (clone / layout.STAGES).read_text() or "[source]" in (clone / layout.STAGES).read_text()


def _run(folder: Path, command: list[str]) -> str:
    result = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    if result.returncode:
        raise WorkspaceError(f"`{' '.join(command)}` failed in {folder}:\n{result.stderr.strip()}")
    return result.stdout
