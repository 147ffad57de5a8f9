"""Write report.html: the whole study on one page that needs no network, no script and no other file.

Only numbers of the search split are on it; a confirmation on the test split is mentioned, never opened.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pyarrow as pa

from metricloop.comparison import verdict
from metricloop.comparison.verdict import Arm
from metricloop.data.dataset import Dataset
from metricloop.data.loading import load
from metricloop.data.pictures import PictureError, read_picture
from metricloop.data.pool import read_pool
from metricloop.data.tables import SUBSET, TRUTH, column, read_json, read_table, replacing
from metricloop.figures import subset_profile, svg
from metricloop.llm.journal import FILE, Event, read_journal
from metricloop.report.model_section import model_section
from metricloop.scoring.scores import Scores, read_scores
from metricloop.study.plan import load_plan
from metricloop.text import numbers

EXAMPLES = 6  # thumbnails at either end of a score
PROBLEMS = 12  # lines of problems.csv shown
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Study:
    """What the page is made of. plan: arms.yaml with rounds.yaml; data: all splits; pool: what subsets draw from;
    events: of the journal."""

    folder: Path
    comparison: dict[str, Any]
    plan: dict[str, dict[str, Any]]
    data: Dataset
    pool: Dataset
    summary: dict[str, Any]
    problems: list[dict[str, str]]
    confirmed: bool
    events: list[Event]


@dataclass
class Gallery:
    """Pictures stored once each, however many thumbnails show them. image_id -> (data URI, width, height)."""

    pool: Dataset
    pictures: dict[int, tuple[str, int, int]] = field(default_factory=dict)

    def thumbnail(self, row: int, choice: subset_profile.Chosen, label: str, judged: int | None) -> Any:
        """The picture of pool row `row` with its boxes, or None where the file cannot be shown."""
        pool, key = self.pool, int(self.pool.image_id[row])
        width, height = int(pool.width[row]), int(pool.height[row])
        if key not in self.pictures:
            try:
                picture = read_picture(pool.root / pool.file[row], str(pool.sha256[row]))
            except PictureError:
                return None
            self.pictures[key] = (svg.jpeg_uri(picture), width, height)
        boxes = pool.slice(row)
        inside = None if judged is None else judged - boxes.start
        return svg.thumbnail(key, width, height, pool.boxes[boxes], choice.boxes[boxes], label, inside)


def read_study(folder: Path, root: Path) -> Study:
    """Read a compared study from its workspace. root: the folder that image files are relative to."""
    problems, summary = folder / "data/problems.csv", folder / "data/summary.json"
    return Study(
        folder=folder,
        comparison=read_json(folder / "comparison.json"),
        plan=load_plan(folder),
        data=load(folder / "data", root),
        pool=read_pool(folder / "data", root),
        summary=read_json(summary) if summary.is_file() else {},
        problems=list(csv.DictReader(problems.read_text().splitlines())) if problems.is_file() else [],
        confirmed=(folder / "confirmation.json").is_file(),
        events=read_journal(folder / FILE),
    )


def build(study: Study) -> str:
    """The page as HTML. Reads scores, subsets and the pictures shown; an arm whose files are missing says so."""
    gallery = Gallery(study.pool)
    treatments = verdict.of_role(study.comparison, "treatment")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.globals["f"] = numbers
    sections = [arm_section(study, gallery, arm) for arm in treatments]
    return environment.get_template("report.html.j2").render(
        study=study,
        comparison=study.comparison,
        verdict=verdict.summarise(study.comparison),
        baseline=[arm for arm in study.comparison["arms"] if arm["role"] == "baseline"],
        treatments=treatments,
        controls=verdict.of_role(study.comparison, "control"),
        forest=forest(study.comparison),
        sections=sections,
        gap=any(arm["oracle_gap_closed"] is not None for arm in study.comparison["arms"]),
        model=model_section(study.events, study.comparison, study.folder),
        store=svg.picture_store(gallery.pictures),
        splits=split_counts(study.data),
        classes=class_counts(study.data),
        rates=realised(study.summary.get("damage") or {}),
        problem_kinds=Counter(row.get("problem", "") for row in study.problems).most_common(),
        problems=study.problems[:PROBLEMS],
        blocks=sorted(study.plan["blocks"]),
    )


def forest(comparison: dict[str, Any]) -> dict[str, Any]:
    """Rows of the forest plot, best gain first, and its axis; no rows where nothing was compared."""
    arms = sorted((arm for arm in comparison["arms"] if arm["gain"]), key=lambda arm: (-verdict.rise(arm), arm["name"]))
    if not arms:
        return {"rows": [], "axis": "", "oracle": False}
    bounds = [arm["gain"]["mAP"]["ci95"] for arm in arms]
    axis = svg.scale([*(verdict.rise(arm) for arm in arms), *(end for pair in bounds if pair for end in pair)])
    oracle = next((verdict.rise(arm) for arm in arms if verdict.is_oracle(arm)), None)
    rows = []
    for arm, pair in zip(arms, bounds, strict=True):
        change = arm["gain"]["mAP"]
        label = f"{arm['name']}: gain {numbers.signed(change['abs'])}, 95 % interval {numbers.interval(pair)}"
        kind = f"{arm['verdict']} {arm['role']}"
        strip = svg.forest_strip(axis, change["abs"], pair, kind, label, oracle)
        rows.append({"arm": arm, "strip": strip, "gain": numbers.gain(change["abs"], change["rel"])})
    return {"rows": rows, "axis": svg.forest_axis(axis), "oracle": oracle is not None}


def arm_section(study: Study, gallery: Gallery, arm: Arm) -> dict[str, Any]:
    """What the page shows of one metric's arm; `missing` names files that are not there."""
    pool, entry = study.pool, study.plan["arms"].get(arm["name"], {})
    subset_file = Path(f"subsets/{arm['name']}.parquet")
    score_files = [Path(file) for file in dict.fromkeys((entry.get("a", ""), entry.get("b", ""))) if "scores/" in file]
    section: dict[str, Any] = {"arm": arm, "scores": [], "best": [], "worst": [], "changes": [], "draws": 0}
    section["missing"] = [str(file) for file in (subset_file, *score_files) if not (study.folder / file).is_file()]
    if str(subset_file) in section["missing"]:
        return section
    subset = read_table(study.folder / subset_file, SUBSET)
    choice = subset_profile.chosen(subset, pool)
    section["draws"] = choice.draws
    section["changes"] = [
        {"line": line, "bar": svg.change_bar(line.ratio)} for line in changes(study.folder, subset, choice, pool)
    ]
    higher = arm["direction"] != "lower"
    for number, file in enumerate(file for file in score_files if str(file) not in section["missing"]):
        scores = read_scores(study.folder / file, pool)
        inside = subset_profile.kept(scores, choice)
        section["scores"].append(score_figure(file.stem, scores, inside, higher))
        if number == 0:
            ends = subset_profile.extremes(scores, higher, EXAMPLES)
            section["best"], section["worst"] = (
                [shown for index in end if (shown := example(gallery, scores, choice, int(index)))] for end in ends
            )
    return section


def score_figure(name: str, scores: Scores, inside: np.ndarray, higher: bool) -> dict[str, Any]:
    """The histogram of one score, and what its caption says."""
    usable = np.isfinite(scores.value)
    what = "object" if scores.per_object else "image"
    total, kept = int(usable.sum()), int((inside & usable).sum())
    label = f"Histogram of {name}: {numbers.count(total, what)} with a score, {numbers.count(kept)} of them kept"
    figure = svg.histogram(scores.value[usable], inside[usable], label) if total else None
    return {
        "name": name, "what": what, "total": total, "kept": kept, "figure": figure, "higher": higher,
        "without": int((~usable).sum()), "errors": scores.errors,
    }  # fmt: skip


def example(gallery: Gallery, scores: Scores, choice: subset_profile.Chosen, index: int) -> dict[str, Any] | None:
    """One thumbnail and its caption: the score, and whether the image made it into the subset."""
    row, box = int(scores.row[index]), int(scores.box[index])
    value = numbers.score(float(scores.value[index]))
    state = "kept" if choice.images[row] else "left out"
    if box >= 0 and choice.images[row]:
        state = "box kept" if choice.boxes[box] else "box dropped"
    label = f"{gallery.pool.file[row]}, score {value}, {state}"
    figure = gallery.thumbnail(row, choice, label, box if box >= 0 else None)
    return {"figure": figure, "value": value, "state": state, "label": label} if figure else None


def changes(
    folder: Path, subset: pa.Table, choice: subset_profile.Chosen, pool: Dataset
) -> list[subset_profile.Change]:
    """What the subset changed; where mistakes were made on purpose, first of all how many of them it caught."""
    lines = subset_profile.changes(
        subset_profile.pool_profile(pool), subset_profile.subset_profile(subset, pool), pool.class_names
    )
    truth = folder / "data/truth.parquet"
    if truth.is_file():
        table = read_table(truth, TRUTH)
        wrong = column(table, "image_id")[column(table, "mistake") != "none"]
        spoilt = np.isin(pool.image_id, wrong)
        if spoilt.any() and choice.images.any():
            before, after = float(spoilt.mean()), float(spoilt[choice.images].mean())
            share = subset_profile.share("Images with a mistake", before, after)
            lines.insert(2, share)
    return lines


def split_counts(data: Dataset) -> list[dict[str, Any]]:
    """Images, boxes and groups of every split that has images."""
    uses = {
        "pool": "subsets are drawn from it",
        "search": "every number on this page",
        "test": "opened once, at the end",
    }
    return [
        {
            "name": name,
            "use": use,
            "images": int((rows := data.split == name).sum()),
            "boxes": int(data.counts[rows].sum()),
            "empty": int((data.counts[rows] == 0).sum()),
            "groups": len(np.unique(data.group[rows])),
        }
        for name, use in uses.items()
        if (data.split == name).any()
    ]


def class_counts(data: Dataset) -> list[dict[str, Any]]:
    """Boxes of every class in every split, the most frequent class first."""
    split = data.split[data.box_row]
    counts = {name: np.bincount(data.labels[split == name], minlength=len(data.class_names)) for name in
              ("pool", "search", "test")}  # fmt: skip
    order = np.argsort(-counts["pool"], kind="stable")
    return [{"name": data.class_names[i], **{name: int(n[i]) for name, n in counts.items()}} for i in order]


def realised(damage: dict[str, Any]) -> list[tuple[str, str]]:
    """The deliberate mistakes as they came out, (name, text) a line; none where none were made."""
    if not damage or damage["preset"] == "none":
        return []
    return [
        ("preset", f"{damage['preset']}, strength {numbers.score(damage['strength'])}"),
        *((f"boxes {kind}", numbers.percent(rate, 1)) for kind, rate in damage["rates"].items()),
        ("boxes with a mistake", numbers.percent(damage["hit"], 1)),
        ("images with a mistake", numbers.percent(damage["images_hit"], 1)),
        *(("note", note) for note in damage["notes"]),
    ]


def write_report(folder: Path, root: Path) -> Path:
    """Build the page of the study in `folder` and put it beside comparison.json."""
    target = folder / "report.html"
    page = build(read_study(folder, root))
    with replacing(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target
