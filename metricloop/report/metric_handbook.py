"""The catalogue of metrics for readers: the list of `metricloop score --list`, and docs/metrics.md.

    python -P -m metricloop.report.metric_handbook WORKSPACE FOLDER    # FOLDER/metrics.md, with the pool's pictures

Every word comes from the docstrings. The pictures show the extremes of each metric in the pool of a study.
"""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.pool import read_pool
from metricloop.data.tables import replacing
from metricloop.figures.contact_sheet import Layout
from metricloop.figures.example_pictures import extremes_picture
from metricloop.metrics.contract import Metric, Spec, spec_of
from metricloop.metrics.families import FAMILIES, Family, place_of
from metricloop.params import load_params
from metricloop.runtime.progress import shown
from metricloop.scoring.batch import InProcessBatch
from metricloop.scoring.metric_inputs import read_inputs
from metricloop.scoring.open_metrics import catalogue
from metricloop.scoring.score_pool import score_pool
from metricloop.scoring.scores import Scores

FROM = {"image": "pixels", "file_size": "file size", "predictions": "predictions", "views": "views",
        "embedding": "embeddings"}  # fmt: skip
ROOMY = 120  # columns from which on a metric of the list has one line
ALWAYS = ("image", "file_size")
SEEN_IN = {"predictions": layout.PREDICTIONS, "views": layout.VIEWS, "embedding": layout.EMBEDDINGS}
STRIP = Layout(columns=6, rows=1, side=96, text=0.34, max_bytes=16_000)


@dataclass(frozen=True)
class Entry:
    """A metric of the catalogue. says: the docstring without its example; summary: its first sentence."""

    spec: Spec
    family: str
    summary: str
    says: str
    example: str


@dataclass(frozen=True)
class Chapter:
    """A family of the catalogue and its metrics. name: its module; about: the module's docstring."""

    name: str
    family: Family
    about: str
    entries: tuple[Entry, ...]


def chapters(metrics: Iterable[Metric] | None = None) -> list[Chapter]:
    """The catalogue by family, metrics in the order in which their file defines them."""
    found: dict[str, list[Entry]] = {}
    about: dict[str, str] = {}
    for metric in catalogue().values() if metrics is None else metrics:
        module = inspect.getmodule(metric)
        name = metric.__module__.rpartition(".")[2]
        about[name] = inspect.cleandoc(module.__doc__ or "") if module else ""
        found.setdefault(name, []).append(_entry(metric, name))
    return [
        Chapter(name, FAMILIES.get(name, Family(name, "", None)), about[name], tuple(found[name]))
        for name in sorted(found, key=place_of)
    ]


def listing(known: Sequence[Chapter], columns: int | None = None) -> str:
    """What `metricloop score --list` prints: one line per metric, or several if `columns` are too few."""
    narrow = columns is not None and columns < ROOMY
    fill = partial(textwrap.fill, width=columns or ROOMY, break_long_words=False, break_on_hyphens=False)
    width = max(len(entry.spec.name) for chapter in known for entry in chapter.entries)
    lines = []
    for chapter in known:
        about = f"{chapter.name} ({chapter.family.reads}): {_first_line(chapter.about)}"
        lines += ["", fill(about) if narrow else about]
        for entry in chapter.entries:
            sees = f"{entry.spec.level}, {entry.spec.higher_is}"
            facts = f"  {entry.spec.name:{width}}  {sees:15}  {needs_of(entry.spec):11}"
            if narrow:
                own = fill(entry.summary, initial_indent=" " * 6, subsequent_indent=" " * 6)
                lines += [facts.rstrip(), own]
            else:
                lines.append(f"{facts}  {entry.summary}")
    total = sum(len(chapter.entries) for chapter in known)
    head = f"{total} metrics; level, what a high score means (better or worse), and what is needed besides labels:"
    return "\n".join([fill(head) if narrow else head, *lines])


def needs_of(spec: Spec) -> str:
    return ", ".join(FROM[need] for need in spec.needs) or "-"


def page(known: Sequence[Chapter], pictures: Mapping[str, str]) -> str:
    """docs/metrics.md. pictures: file by metric, relative to the page."""
    total = sum(len(chapter.entries) for chapter in known)
    lines = [
        "# Metrics",
        "",
        f"The {total} metrics of the catalogue, from their own docstrings; `metricloop score --list` prints the list.",
        "Made by `python -P -m metricloop.report.metric_handbook WORKSPACE docs`; do not edit. The pictures show, in "
        "the demo's pool, the best scores above and the worst below.",
        "",
        "| family | reads | metrics |",
        "|---|---|---|",
    ]
    for chapter in known:
        names = ", ".join(f"[{entry.spec.name}](#{entry.spec.name})" for entry in chapter.entries)
        lines.append(
            f"| [{chapter.name}](#{chapter.name}): {chapter.family.title} | {chapter.family.reads} | {names} |"
        )
    for chapter in known:
        lines += [
            "",
            f"## {chapter.name}",
            "",
            f"*{chapter.family.title}; reads: {chapter.family.reads}.*",
            "",
            chapter.about,
        ]
        for entry in chapter.entries:
            spec = entry.spec
            scale = f", at a long side of {spec.side} px" if spec.side else ""
            lines += [
                "",
                f"### {spec.name}",
                "",
                f"*One score per {spec.level}; high is {spec.higher_is}; needs: {needs_of(spec)}{scale}.*",
                "",
                entry.says,
            ]
            if entry.example:
                lines += ["", "```python", entry.example, "```"]
            if spec.name in pictures:
                lines += ["", f"![extremes of {spec.name}]({pictures[spec.name]})"]
    return "\n".join(lines) + "\n"


def draw_extremes(pool: Dataset, specs: Sequence[Spec], tables: Mapping[str, dict], folder: Path) -> dict[str, str]:
    """Write a picture of the extremes of each metric that has any; its path relative to the folder's parent."""
    drawn = {}
    folder.mkdir(parents=True, exist_ok=True)
    for spec in specs:
        values = np.asarray(tables[spec.name]["score"], float)
        row = pool.box_row if spec.level == "object" else np.arange(len(pool))
        box = np.arange(len(values)) if spec.level == "object" else np.full(len(values), -1)
        sheet = extremes_picture(pool, Scores(row, box, values, ()), spec.higher_is == "better", spec.name, STRIP)
        if sheet is not None:
            (folder / f"{spec.name}.jpg").write_bytes(sheet.jpeg)
            drawn[spec.name] = f"{folder.name}/{spec.name}.jpg"
    return drawn


def _entry(metric: Metric, family: str) -> Entry:
    text = inspect.getdoc(metric) or ""
    says = text.partition(">>>")[0].strip()
    example = text[text.index(">>>") :].strip() if ">>>" in text else ""
    return Entry(spec_of(metric), family, _first_line(says), says, example)


def _first_line(text: str) -> str:
    """The first paragraph's first sentence, on one line."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".") if ". " in paragraph else paragraph.rstrip(".")


def main(workspace: Path, folder: Path) -> None:
    folder = folder.resolve()
    os.chdir(workspace)
    params = load_params()
    pool, known, functions = read_pool(layout.DATA, params.data.folder), chapters(), catalogue()
    seen = {need: path for need, path in SEEN_IN.items() if Path(path).is_file()}
    inputs: dict[str, Any] = {}
    for path in {layout.PREDICTIONS, layout.VIEWS, layout.EMBEDDINGS} & set(seen.values()):
        inputs |= {name: value for name, value in read_inputs(path, pool).items() if value}
    if not inputs.get("views"):
        seen.pop("views", None)
    able = [entry.spec for chapter in known for entry in chapter.entries if set(entry.spec.needs) <= {*ALWAYS, *seen}]
    batch = InProcessBatch(tuple(functions[spec.name] for spec in able))
    with shown("metrics", "images") as show:
        tables = score_pool(pool, batch, **inputs, jobs=0, max_failures=1, progress=show)
    drawn = draw_extremes(pool, able, tables, folder / "metrics")
    with replacing(folder / "metrics.md") as temporary:
        temporary.write_text(page(known, drawn))
    without = [entry.spec.name for chapter in known for entry in chapter.entries if entry.spec.name not in drawn]
    print(f"{folder / 'metrics.md'}: {len(drawn)} metrics with pictures; without one: {', '.join(without) or 'none'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
