"""Update a workspace to the running code: digests of all stages, and the stages that only some studies have."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from metricloop import layout
from metricloop.data.tables import SPLITS
from metricloop.params import Data, Params, load_params, weights_digest
from metricloop.runtime import code_digest
from metricloop.study.data_files import is_inside, look_through, wire_source
from metricloop.study.dvc_extras import wire_hint, wire_lock, wire_numbers, write_extras
from metricloop.study.graph import declared, reads_embeddings
from metricloop.study.known_code import remember_sources, running_code
from metricloop.study.plan import Plan, load_plan
from metricloop.study.rendering import render_stages, write_if_changed

NOTE = "# Digests of the code that each stage runs. Written by metricloop, so that DVC notices changed code.\n"
# Kind of stage -> splits whose labels it reads.
READS = dict.fromkeys(("predict", "embed", "score", "mend", "select"), ("pool",))
READS |= dict.fromkeys(("screen", "evaluate", "compare"), ("search",)) | {"confirm": ("test",)}


def wire_embeddings(stages: str, wanted: bool) -> str:
    """The text of dvc.yaml with or without the stage `embed`. A stage that a person has edited is not removed."""
    return _with_stage(stages, "embed", "score", wanted)


def wire_screens(stages: str, wanted: bool) -> str:
    """The text of dvc.yaml with or without the stage `screen`, whose results `compare` reads.

    A stage that a person has edited is not removed.
    """
    alone, with_screening = "      - results\n", f"      - results\n      - {layout.SCREENING}\n"
    text = _with_stage(stages, "screen", "train", wanted)
    if text == stages:
        return stages
    return text.replace(alone, with_screening, 1) if wanted else text.replace(with_screening, alone, 1)


def wire_repairs(stages: str, wanted: bool) -> str:
    """The text of dvc.yaml with or without the stage `mend`. A stage that a person has edited is not removed."""
    return _with_stage(stages, "mend", "select", wanted)


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
    return _with_stage(stages, "second_labels", "predict", wanted)


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


def _with_stage(stages: str, name: str, following: str, wanted: bool) -> str:
    """The text of dvc.yaml with or without a stage, which stands before the stage `following`."""
    if wanted == (f"\n  {name}:\n" in stages):
        return stages
    text = render_stages(drawn=False, embeds=True, screens=True, second=True, mends=True)
    block = text[text.index(f"  {name}:\n") : text.index(f"  {following}:\n")]
    if wanted:
        return stages.replace(f"\n  {following}:\n", f"\n{block}  {following}:\n", 1)
    return stages.replace(block, "", 1)


def refresh_code(folder: Path) -> None:
    """Write what `fresh_files` finds, and the files of dvc_extras.

    Errors: those of `fresh_files`.
    """
    for name, text in fresh_files(folder).items():
        write_if_changed(folder / name, text)
    write_extras(folder)
    remember_sources(folder)


def fresh_files(folder: Path, params: Params | None = None) -> dict[str, str]:
    """The texts that code.yaml, metrics/catalogue.yaml, dvc.yaml and fingerprint.yaml should have; writes nothing.

    params: those that count, where they are not those of params.yaml.
    For a workspace of an earlier version, dvc.lock is among them.

    A data set outside the workspace is looked through for fingerprint.yaml; where it is gone, that file is left out.
    dvc.yaml has the stage `embed` when the plan reads embeddings, `screen` when it has screens, and `mend` when it has
    repairs; `ingest` reads repaired labels when data.labels names them, and `second_labels` is there when
    data.second_labels is set. What dvc_extras has for DVC's own commands is there always.
    Errors: GraphError for a workspace of an old version; SecondLabelsError for a second labelling that is not there.
    """
    stages, plan, texts = folder / layout.STAGES, load_plan(folder), {}
    text = stages.read_text() if stages.is_file() else ""
    if text:
        declared(text, stages)  # raises GraphError
    params = params or load_params(folder / layout.PARAMS)
    if text:
        text = wire_parts(
            wire_screens(wire_embeddings(wire_source(text, True), reads_embeddings(plan)), bool(plan["screens"]))
        )
        text = wire_repairs(text, bool(plan["repairs"]))
        _check_second(folder, params.data, plan)
        text = wire_labels(wire_second(text, bool(params.data.second_labels)), bool(params.data.labels))
        texts[layout.STAGES] = wire_source(wire_hint(wire_numbers(text)), is_inside(folder, params.data))
        if (lock := wire_lock(folder / layout.LOCK)) is not None:
            texts[layout.LOCK] = lock
        if (found := look_through(folder, params.data)) is not None:
            texts[layout.FINGERPRINT] = found
    code = running_code(folder)
    chosen = {
        "detector": code.detectors[params.train.detector],
        "weights": weights_digest(params.train.weights),
        "embed_weights": weights_digest(params.embed.weights),
    }
    texts[layout.CODE] = NOTE + yaml.safe_dump(code.stages | chosen, sort_keys=False)
    texts[layout.CATALOGUE] = NOTE + yaml.safe_dump(code.catalogue)
    return texts


def _check_second(folder: Path, data: Data, plan: Plan) -> None:
    arms = [name for name, arm in plan["arms"].items() if layout.SECOND in (arm["a"], arm["b"])]
    if not (data.second_labels or arms):
        return
    from metricloop.data.second_labels import SecondLabelsError, check_second

    if data.second_labels:
        check_second(folder / data.second_labels)
    else:
        raise SecondLabelsError(
            f"{', '.join(arms)} in {layout.ARMS} read {layout.SECOND}, which is made of a second labelling: "
            "name it in data.second_labels, or take the arms out"
        )


if __name__ == "__main__":  # `make setup` makes the root of the repository a workspace
    write_if_changed(code_digest.HOME / layout.STAGES, render_stages(drawn=True))
    refresh_code(code_digest.HOME)
