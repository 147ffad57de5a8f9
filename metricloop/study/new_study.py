"""Make the workspace of a new study: a git and DVC repository with its parameters, arms and stages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from metricloop import layout
from metricloop.data import readers
from metricloop.data.damage_presets import Corrupt, Mistake
from metricloop.data.formats.folder_check import strays
from metricloop.data.formats.place import base_of
from metricloop.data.label_errors import PLANTED, PRESETS
from metricloop.data.urls import is_url, path_of
from metricloop.detector import architectures
from metricloop.llm.providers import provider_choices
from metricloop.params import Confirm, Looks, Params, Screen, check_params
from metricloop.study.commits import WorkspaceError, commit_all, run_command, run_git
from metricloop.study.dvc_commands import dvc
from metricloop.study.edit_params import changed_text
from metricloop.study.looks import record_looks
from metricloop.study.plan import Plan
from metricloop.study.refresh import refresh_code
from metricloop.study.rendering import TEMPLATES, align_comments, render, render_stages, write_if_changed
from metricloop.study.screens import first_trials
from metricloop.text.shell import run_line

IGNORED = (
    f"{layout.SCRATCH}/",
    f"{layout.MLFLOW}*",
    f"{layout.MLFLOW_FILES}/",
    layout.REPORT,
    layout.EXAMPLE,
    "__pycache__/",
)
PRESET_NOTES = {
    "article": "                # half missing or on other objects, the rest moved and rescaled",
    "sloppy": "                 # a careless annotator in a third of the groups, worse for small objects",
    "custom": f"                 # for you to edit; kinds: {', '.join(PLANTED)}",
}


@dataclass(frozen=True)
class NewStudy:
    """The options of `metricloop init`; most are values of the same name in params.yaml."""

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
    screen: Screen = field(default_factory=Screen)
    looks: Looks = field(default_factory=Looks)
    confirm: Confirm = field(default_factory=Confirm)
    corrupt: str = "none"
    strength: float = 0.5
    drawn: bool = False
    images: int = 960
    provider: str = "none"
    cassette: str = ""
    rounds: int = 2
    suggestions: int = 3
    full: bool = False  # all controls and more policies, not the short list of arms
    copy: bool = False  # copy the data set into the workspace
    truth: str = ""  # data.second_labels
    changes: tuple[str, ...] = ()  # KEY=VALUE of params.yaml


def looks_from(seeds: int) -> Looks:
    """Two looks: `seeds` trials of an arm at first and twice as many later; four and six times as many of the baseline.

    With k arms, a fixed number of trials decides most if the baseline has about sqrt(k) times the seeds of an arm.
    """
    return Looks(arms=(seeds, 2 * seeds), baseline=(4 * seeds, 6 * seeds))


def demo_plan(name: str, full: bool = False, corrupt: str = "article") -> NewStudy:
    """The demo's study: small drawn scenes with pandas, damaged labels; `full` adds controls and policies."""
    return NewStudy(
        name=name,
        source=layout.SOURCE,
        root=layout.SOURCE,
        format="coco",
        corrupt=corrupt,
        drawn=True,
        image_size=96,
        iterations=100,
        learning_rate=0.002,
        provider="replay",
        cassette="demo",
        suggestions=2,
        full=full,
    )


def check_folder(folder: Path, study: NewStudy, pictures: Iterable[Path] = ()) -> None:
    """Check that a workspace may be made there. pictures: the folders of the pictures, where they are known.

    A workspace may lie beside a label file, also where the pictures lie in other folders there: none of its files is
    read as data. Errors: WorkspaceError when `folder` is not empty or lies inside the data set.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WorkspaceError(
            f"{folder} is not empty; name a new folder, or continue the study there: {run_line(folder)}"
        )
    source, root = path_of(study.source), path_of(study.root)
    places = {root, base_of(source), *pictures}
    if not (study.copy or is_url(source)) and source.is_file():  # --import copies the whole folder
        places = {*pictures, *([] if root == base_of(source) else [root])}
    for place in () if study.drawn else sorted(places):
        if folder.is_relative_to(place):
            raise WorkspaceError(f"{folder} lies inside the data set ({place}); put the workspace elsewhere")


def create(folder: Path, study: NewStudy, prepare: Callable[[Path], None] = lambda made: None) -> None:
    """Make a workspace: a git and DVC repository with params.yaml, arms.yaml, rounds.yaml, dvc.yaml and code.yaml.

    It is made in a temporary folder next to `folder` and renamed at the end, so `folder` is never half made.
    prepare: called with the temporary folder before anything is committed; what it raises leaves no folder behind.
    Errors: WorkspaceError when `folder` is not empty or lies inside the data set.
    """
    folder = folder.absolute()
    check_folder(folder, study)
    copies: dict[str, str] = {}
    if study.copy:
        if is_url(path_of(study.source)) or is_url(path_of(study.root)):
            raise WorkspaceError(
                "--import copies a folder of this machine; leave it out for a URL, or fetch the data set first"
            )
        study, copies = copied(study)
        for place in copies:
            check_files(Path(place))
    params = params_text(study)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        run_git(made, "init", "--quiet", "--initial-branch=main")
        run_command(made, dvc("init"))
        for place, target in copies.items():
            (made / target).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if Path(place).is_dir() else shutil.copy2)(place, made / target)
        if copies:
            run_command(made, dvc("add", layout.SOURCE))
        write_if_changed(made / layout.PARAMS, params)
        write_if_changed(made / layout.ARMS, render_arms(study))
        write_if_changed(made / layout.ROUNDS, (TEMPLATES / layout.ROUNDS).read_text())
        write_if_changed(made / layout.BRIEF, render(layout.BRIEF, drawn=study.drawn))
        write_if_changed(made / layout.STAGES, render_stages(drawn=study.drawn, screens=study.screen.seeds > 0))
        for name, lines in ((".gitignore", IGNORED), (".dvcignore", ("__pycache__/",))):
            with (made / name).open("a") as stream:
                stream.write("\n".join(lines) + "\n")
        record_looks(made, check_params(yaml.safe_load(params), "the new params.yaml"))
        refresh_code(made)
        prepare(made)
        run_git(made, "add", "--all")
        commit_all(made, f"study {study.name}: {study.budget:g} of the images of {study.source}")
        if folder.exists():
            folder.rmdir()
        made.rename(folder)


def copied(study: NewStudy) -> tuple[NewStudy, dict[str, str]]:
    """The study of a data set that is copied into its workspace, and what is copied: path -> path in the workspace.

    Labels that lie apart from the pictures, and a second labelling, go into folders of their own.
    """
    root, source, truth = Path(study.root), Path(study.source), Path(study.truth)
    together = source.is_relative_to(root) and (not study.truth or truth.is_relative_to(root))
    name = root.name if root.is_file() else ""  # a tar
    places = {root: Path(layout.SOURCE, *[] if together else ["images"], name)}
    names = {"labels": source, "second_labels": truth if study.truth else root}
    for name, place in names.items():
        if not place.is_relative_to(root):
            places[place] = Path(layout.SOURCE, name, place.name)

    def inside(path: Path) -> str:
        place = next(place for place in places if path.is_relative_to(place))
        return (places[place] / path.relative_to(place)).as_posix()

    copies = {str(place): target.as_posix() for place, target in places.items()}
    new = replace(
        study,
        source=inside(source),
        root=inside(root) if together else layout.SOURCE,
        truth=inside(truth) if study.truth else "",
    )
    return new, copies


def params_text(study: NewStudy) -> str:
    """The text of a new params.yaml. Errors: ParamsError."""
    text = align_comments(render("params.yaml.j2", **params_values(study)))
    check_params(yaml.safe_load(text), "the new params.yaml")
    return changed_text(text, study.changes, "the new params.yaml")[0]


def new_params(study: NewStudy) -> Params:
    """What params.yaml of a new study will say. Errors: ParamsError."""
    return check_params(yaml.safe_load(params_text(study)), "the new params.yaml")


def check_files(source: Path) -> None:
    """Check that a data set can be copied and given to DVC: with a pipe or links in a circle that would never end,
    links that lead out would bring their targets into the workspace, and DVC stops at broken ones and at odd names.

    Errors: WorkspaceError naming the first of them.
    """
    found = strays(source)
    if found:
        named = "; ".join(f"{problem.file}: {problem.action}" for problem in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise WorkspaceError(f"{source} holds what is no file of a data set ({named}{more}); take it out and try again")


def render_arms(study: NewStudy) -> str:
    """arms.yaml: the baseline, the controls and the article's metrics, with their first trials."""
    options: dict[str, Any] = {"planted": study.corrupt != "none", "full": study.full, "second": bool(study.truth)}
    options["lean"] = (
        study.drawn and not study.full
    )  # fewer arms in the demo, so that the language model's rounds have time
    plan: Plan = {"arms": yaml.safe_load(render("arms.yaml.j2", screens={}, blocks={}, **options))["arms"]}
    plan |= {"screens": {}, "blocks": {}}
    for arm in plan["arms"]:
        for section, entries in first_trials(arm, plan, study).items():
            plan[section] |= entries
    return render("arms.yaml.j2", screens=plan["screens"], blocks=plan["blocks"], **options)


def params_values(study: NewStudy) -> dict[str, Any]:
    """The values for the template of params.yaml."""
    corrupt = Corrupt()
    presets = {name: [_mistake(mistake) for mistake in getattr(corrupt, name)] for name in PRESETS}
    names = {"formats": readers.NAMES, "detectors": architectures.NAMES, "providers": provider_choices()}
    return vars(study) | {"presets": presets, "preset_notes": PRESET_NOTES} | names


def _mistake(mistake: Mistake) -> str:
    """A label mistake on one line of YAML, with all numbers that it depends on."""
    values = mistake.model_dump(exclude_defaults=True)
    if mistake.rate_growth or mistake.magnitude_growth:
        values["small"] = mistake.small
    if mistake.kind in ("replaced", "spurious"):
        values["lookalike"] = mistake.lookalike
    if "scale" in values:
        values["scale"] = [list(part) for part in values["scale"]]
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=1000).strip()
