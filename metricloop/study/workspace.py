"""Workspaces: make one, refresh its code digests, commit what a round produced."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from metricloop import layout
from metricloop.data.damage import Corrupt, Mistake
from metricloop.data.tables import replacing
from metricloop.params import check_params, load_params, weights_digest
from metricloop.runtime import code_digest
from metricloop.study.graph import reads_embeddings, stages_of
from metricloop.study.plan import load_plan
from metricloop.study.processes import dvc, environment
from metricloop.text.shell import run_line

TEMPLATES = Path(__file__).parent / "templates"
IGNORED = (f"{layout.SCRATCH}/", f"{layout.MLFLOW}*", f"{layout.MLFLOW_FILES}/", layout.REPORT, "__pycache__/")
COMMITTED = (
    ".gitignore", layout.STAGES, layout.LOCK, layout.PARAMS, layout.ARMS, layout.ROUNDS, layout.CODE, layout.BRIEF,
    layout.METRICS, layout.DATA, layout.SCORES, layout.SUBSETS, layout.MODELS, layout.RESULTS, layout.COMPARISON,
    layout.FINALISTS, layout.CONFIRMATION, layout.OPENINGS, layout.JOURNAL, layout.RECORDING, layout.PICTURES,
)  # fmt: skip
PRESET_NOTES = {
    "article": "                # the article's: half missing or elsewhere, the rest moved and rescaled",
    "sloppy": "                 # an annotator in a third of the groups, worse the smaller the object",
    "custom": "                 # for you to edit: missing, spurious, moved, scaled, replaced, class, doubled",
}


class WorkspaceError(RuntimeError):
    """A workspace cannot be made or used; the message says what to do."""


@dataclass(frozen=True)
class NewStudy:
    """What `init` is asked for; the fields of the same names in params.yaml."""

    name: str
    source: str
    root: str
    budget: float = 0.25
    format: str = "auto"
    categories: tuple[str, ...] = ()
    detector: str = "fcos_shufflenet"
    weights: str = "drawn"
    image_size: int = 224
    iterations: int = 250
    learning_rate: float = 0.001
    block_seeds: int = 3
    max_seeds: int = 9
    confirm_seeds: int = 3
    corrupt: str = "none"
    strength: float = 0.5
    drawn: bool = False
    images: int = 720
    provider: str = "none"
    cassette: str = ""
    rounds: int = 2
    suggestions: int = 3
    full: bool = False  # all controls and policies, not the lean list
    copy: bool = False


def demo_plan(name: str, full: bool = False) -> NewStudy:
    """The demo's study: drawn pandas, small pictures, the article's damage; `full` adds controls, policies, seeds."""
    return NewStudy(
        name=name,
        source="source",
        root="source",
        format="coco",
        corrupt="article",
        drawn=True,
        image_size=96,
        iterations=100,
        learning_rate=0.002,
        max_seeds=9 if full else 3,
        confirm_seeds=3 if full else 2,
        provider="replay",
        cassette="demo",
        suggestions=2,
        full=full,
    )


def create(folder: Path, study: NewStudy) -> None:
    """Make a workspace: a git and DVC repository with params.yaml, arms.yaml, rounds.yaml, dvc.yaml and code.yaml.

    It is built under another name beside `folder` and renamed, so it is there whole or not at all.
    Errors: WorkspaceError when `folder` already holds something, or would lie inside the data set.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WorkspaceError(f"{folder} is not empty; name a new folder, or go on there: {run_line(folder)}")
    if not study.drawn and folder.is_relative_to(study.root):
        raise WorkspaceError(f"{folder} lies inside the data set ({study.root}); put the workspace elsewhere")
    if study.copy:
        inside = Path("source") / Path(study.source).relative_to(study.root)
        copied_from, study = study.root, replace(study, source=inside.as_posix(), root="source")
    params = align_comments(render("params.yaml.j2", **params_values(study)))
    check_params(yaml.safe_load(params), "the new params.yaml")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        _git(made, "init", "--quiet", "--initial-branch=main")
        _run(made, dvc("init", "--quiet"))
        if study.copy:
            shutil.copytree(copied_from, made / layout.SOURCE)
            _run(made, dvc("add", "--quiet", layout.SOURCE))
        _write(made / layout.PARAMS, params)
        _write(made / layout.ARMS, render_arms(study))
        _write(made / layout.ROUNDS, (TEMPLATES / "rounds.yaml").read_text())
        _write(made / layout.BRIEF, render("brief.md", drawn=study.drawn))
        _write(made / layout.STAGES, render_stages(drawn=study.drawn))
        for name, lines in ((".gitignore", IGNORED), (".dvcignore", ("__pycache__/",))):
            with (made / name).open("a") as stream:
                stream.write("\n".join(lines) + "\n")
        refresh_code(made)
        _git(made, "add", "--all")
        commit_all(made, f"study {study.name}: {study.budget:g} of the images of {study.source}")
        if folder.exists():
            folder.rmdir()
        made.rename(folder)


def render_arms(study: NewStudy) -> str:
    """arms.yaml: the baseline, controls and the article's metrics, one block each."""
    options = {"planted": study.corrupt != "none", "full": study.full, "seeds": f"0-{study.block_seeds - 1}"}
    options["lean"] = study.drawn and not study.full  # the demo leaves time for the language model's own ideas
    arms = yaml.safe_load(render("arms.yaml.j2", arms=[], **options))["arms"]
    return render("arms.yaml.j2", arms=arms, **options)


def params_values(study: NewStudy) -> dict[str, Any]:
    """What the template of params.yaml is filled with."""
    corrupt = Corrupt()
    presets = {name: [_mistake(mistake) for mistake in getattr(corrupt, name)] for name in PRESET_NOTES}
    return vars(study) | {"presets": presets, "preset_notes": PRESET_NOTES}


def _mistake(mistake: Mistake) -> str:
    """A mistake on one line of YAML, with every number that has a say in it."""
    values = mistake.model_dump(exclude_defaults=True)
    if mistake.rate_growth or mistake.magnitude_growth:
        values["small"] = mistake.small
    if mistake.kind in ("replaced", "spurious"):
        values["lookalike"] = mistake.lookalike
    if "scale" in values:
        values["scale"] = [list(part) for part in values["scale"]]
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=1000).strip()


def align_comments(text: str, column: int = 28) -> str:
    """Start the comments behind values at one column, wherever the values leave room."""
    lines = []
    for line in text.splitlines():
        value, mark, comment = line.partition("  # ")
        lines.append(f"{value.rstrip():<{column - 2}}{mark}{comment.strip()}" if mark and value.strip() else line)
    return "\n".join(lines) + "\n"


def render_stages(*, drawn: bool, embeds: bool = False) -> str:
    """dvc.yaml. drawn: with the stage that draws the demo's data set.

    embeds: with the stage that makes embeddings, which takes long and is there only where something reads them.
    """
    return render("dvc.yaml.j2", drawn=drawn, embeds=embeds)


def stage_kinds() -> list[str]:
    """The kinds of stages there are, in the order of the data."""
    return list(yaml.safe_load(render_stages(drawn=True, embeds=True))["stages"])


def wire_embeddings(stages: str, wanted: bool) -> str:
    """The text of a workspace's dvc.yaml with the stage `embed`, or without it; one that a person changed stays."""
    block, following = _embed_stage(), "  score:\n"
    if wanted and "\n  embed:\n" not in stages:
        return stages.replace(f"\n{following}", f"\n{block}{following}", 1)
    return stages if wanted else stages.replace(block, "", 1)


def _embed_stage() -> str:
    text = render_stages(drawn=False, embeds=True)
    return text[text.index("  embed:\n") : text.index("  score:\n")]


def render(template: str, **values: Any) -> str:
    loader = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True)
    loader.filters["quoted"] = quoted
    return loader.get_template(template).render(**values)


def quoted(value: Any) -> str:
    """A value as YAML on one line, in quotes where it would be read as something else."""
    value = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def refresh_code(folder: Path) -> None:
    """Write the digests of the running code to code.yaml and metrics/catalogue.yaml, where the workspace has them, and
    the stage `embed` to dvc.yaml, where its plan reads embeddings.
    """
    stages, plan = folder / layout.STAGES, load_plan(folder)
    if stages.is_file():
        stages_of(folder, plan)  # refuses the workspace of an earlier version, before anything is written
        _write(stages, wire_embeddings(stages.read_text(), reads_embeddings(plan)))
    note = "# Digests of the code each stage runs; written by metricloop, so that new code counts as a change.\n"
    params = load_params(folder / layout.PARAMS)
    weights = {"weights": weights_digest(params.train.weights), "embed_weights": weights_digest(params.embed.weights)}
    _write(folder / layout.CODE, note + yaml.safe_dump(code_digest.digests(stage_kinds()) | weights, sort_keys=False))
    _write(folder / layout.CATALOGUE, note + yaml.safe_dump(code_digest.catalogue_digests()))


def commit(folder: Path, message: str) -> bool:
    """Commit the record of a study. Only in a workspace of its own: never in a repository that merely holds it."""
    if folder == code_digest.HOME or not (folder / ".git").exists() or not (folder / layout.CODE).is_file():
        return False
    present = [name for name in COMMITTED if (folder / name).exists()]
    _git(folder, "add", "--", *present)
    return commit_all(folder, message)


def commit_all(folder: Path, message: str) -> bool:
    if subprocess.run(["git", "diff", "--cached", "--quiet"], cwd=folder, check=False).returncode == 0:
        return False
    identity = ["-c", "user.name=metricloop", "-c", "user.email=metricloop@localhost"]
    has_name = (
        subprocess.run(["git", "config", "user.email"], cwd=folder, capture_output=True, check=False).returncode == 0
    )
    _git(folder, *([] if has_name else identity), "commit", "--quiet", "--message", message)
    return True


def _write(path: Path, text: str) -> None:
    """Write only what differs, so that times do not change for nothing."""
    if path.is_file() and path.read_text() == text:
        return
    with replacing(path) as temporary:
        temporary.write_text(text)


def _git(folder: Path, *arguments: str) -> None:
    _run(folder, ["git", *arguments])


def _run(folder: Path, command: list[str]) -> None:
    result = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if result.returncode:
        raise WorkspaceError(
            f"`{' '.join(command)}` failed in {folder}:\n{result.stderr.strip() or result.stdout.strip()}"
        )


if __name__ == "__main__":  # makes the repository's root a workspace of this machine; `make setup` does it
    _write(code_digest.HOME / layout.STAGES, render_stages(drawn=True))
    refresh_code(code_digest.HOME)
