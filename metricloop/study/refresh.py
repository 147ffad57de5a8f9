"""Update a workspace to the running code: digests of all stages, and the stages that only some studies have."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from metricloop import layout
from metricloop.data.second_labels import SecondLabelsError, check_second
from metricloop.data.tables import SPLITS
from metricloop.params import load_params, weights_digest
from metricloop.runtime import code_digest
from metricloop.study.data_files import is_inside, record_files, wire_source
from metricloop.study.graph import reads_embeddings, stages_of
from metricloop.study.plan import load_plan
from metricloop.study.rendering import render_stages, stage_kinds, write_if_changed

READS = dict.fromkeys(("predict", "embed", "score", "select"), ("pool",))  # stage -> splits whose labels it reads
READS |= dict.fromkeys(("screen", "evaluate", "compare"), ("search",)) | {"confirm": ("test",)}


def wire_embeddings(stages: str, wanted: bool) -> str:
    """The text of dvc.yaml with or without the stage `embed`. A stage that a person has edited is not removed."""
    block, following = _stage("embed", "score"), "  score:\n"
    if wanted and "\n  embed:\n" not in stages:
        return stages.replace(f"\n{following}", f"\n{block}{following}", 1)
    return stages if wanted else stages.replace(block, "", 1)


def wire_screens(stages: str, wanted: bool) -> str:
    """The text of dvc.yaml with or without the stage `screen`, whose results `compare` reads.

    A stage that a person has edited is not removed.
    """
    block, following = _stage("screen", "train"), "  train:\n"
    alone, with_screening = "      - results\n", f"      - results\n      - {layout.SCREENING}\n"
    if wanted and "\n  screen:\n" not in stages:
        return stages.replace(f"\n{following}", f"\n{block}{following}", 1).replace(alone, with_screening, 1)
    if not wanted and block in stages:
        return stages.replace(block, "", 1).replace(with_screening, alone, 1)
    return stages


def wire_labels(stages: str, wanted: bool) -> str:
    """The text of dvc.yaml in which `ingest` reads a version of the labels, and writes those before it; or without."""
    for line, after in (("${data.labels}", "${data.root}"), (layout.BEFORE, layout.TRUTH)):
        entry, before = f"      - {line}\n", f"      - {after}\n"
        if wanted and entry not in stages:
            stages = stages.replace(before, before + entry, 1)
        elif not wanted:
            stages = stages.replace(entry, "", 1)
    return stages


def wire_second(stages: str, wanted: bool) -> str:
    """The text of dvc.yaml with or without the stage `second_labels`, unless a person has edited it."""
    block, following = _stage("second_labels", "predict"), "  predict:\n"
    if wanted and "\n  second_labels:\n" not in stages:
        return stages.replace(f"\n{following}", f"\n{block}{following}", 1)
    return stages if wanted else stages.replace(block, "", 1)


def wire_parts(stages: str) -> str:
    """The text of dvc.yaml of an earlier version, with the labels of each split in a file of their own."""
    old, lines, stage = "- data/boxes.parquet\n", [], ""
    for line in stages.splitlines(keepends=True):
        if found := re.match(r"  (\w+):\n", line):
            stage = found[1]
        if line.endswith(old):
            indent = line.removesuffix(old)
            lines += [f"{indent}- {layout.boxes_file(part)}\n" for part in READS.get(stage, SPLITS)]
        else:
            lines.append(line)
    return "".join(lines)


def _stage(name: str, following: str) -> str:
    text = render_stages(drawn=False, embeds=True, screens=True, second=True)
    return text[text.index(f"  {name}:\n") : text.index(f"  {following}:\n")]


def refresh_code(folder: Path) -> None:
    """Write the digests of the running code to code.yaml and metrics/catalogue.yaml, and update dvc.yaml.

    A data set outside the workspace is looked through, and fingerprint.yaml written.

    dvc.yaml has the stage `embed` when the plan reads embeddings, and `screen` when it has screens; `ingest` reads
    repaired labels when data.labels names them, and `second_labels` is there when data.second_labels is set.
    Errors: GraphError for a workspace of an old version; SecondLabelsError for a second labelling that is not there.
    """
    stages, plan = folder / layout.STAGES, load_plan(folder)
    if stages.is_file():
        stages_of(folder, plan)  # raises GraphError before anything is written
        text = wire_source(stages.read_text(), True)
        text = wire_embeddings(text, reads_embeddings(plan))
        text = wire_screens(text, bool(plan["screens"]))
        text = wire_parts(text)
        data = load_params(folder / layout.PARAMS).data
        if data.second_labels:
            check_second(folder / data.second_labels)
        elif arms := [name for name, arm in plan["arms"].items() if layout.SECOND in (arm["a"], arm["b"])]:
            raise SecondLabelsError(
                f"{', '.join(arms)} in {layout.ARMS} read {layout.SECOND}, which is made of a second labelling: "
                "name it in data.second_labels, or take the arms out"
            )
        text = wire_second(text, bool(data.second_labels))
        text = wire_labels(text, bool(data.labels))
        write_if_changed(stages, wire_source(text, is_inside(folder, data)))
        record_files(folder, data)
    note = "# Digests of the code that each stage runs. Written by metricloop, so that DVC notices changed code.\n"
    params = load_params(folder / layout.PARAMS)
    chosen = {
        "detector": code_digest.detector_digest(params.train.detector),
        "weights": weights_digest(params.train.weights),
        "embed_weights": weights_digest(params.embed.weights),
    }
    write_if_changed(
        folder / layout.CODE, note + yaml.safe_dump(code_digest.digests(stage_kinds()) | chosen, sort_keys=False)
    )
    write_if_changed(folder / layout.CATALOGUE, note + yaml.safe_dump(code_digest.catalogue_digests()))


if __name__ == "__main__":  # `make setup` makes the root of the repository a workspace
    write_if_changed(code_digest.HOME / layout.STAGES, render_stages(drawn=True))
    refresh_code(code_digest.HOME)
