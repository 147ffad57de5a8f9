"""Keep a workspace in step with the running code: digests of every stage, and the stage that embeds."""

from __future__ import annotations

from pathlib import Path

import yaml

from metricloop import layout
from metricloop.params import load_params, weights_digest
from metricloop.runtime import code_digest
from metricloop.study.graph import reads_embeddings, stages_of
from metricloop.study.plan import load_plan
from metricloop.study.rendering import render_stages, stage_kinds, write_if_changed


def wire_embeddings(stages: str, wanted: bool) -> str:
    """The text of a workspace's dvc.yaml with the stage `embed`, or without it; one that a person changed stays."""
    block, following = _embed_stage(), "  score:\n"
    if wanted and "\n  embed:\n" not in stages:
        return stages.replace(f"\n{following}", f"\n{block}{following}", 1)
    return stages if wanted else stages.replace(block, "", 1)


def _embed_stage() -> str:
    text = render_stages(drawn=False, embeds=True)
    return text[text.index("  embed:\n") : text.index("  score:\n")]


def refresh_code(folder: Path) -> None:
    """Write the digests of the running code to code.yaml and metrics/catalogue.yaml, where the workspace has them, and
    the stage `embed` to dvc.yaml, where its plan reads embeddings.
    """
    stages, plan = folder / layout.STAGES, load_plan(folder)
    if stages.is_file():
        stages_of(folder, plan)  # refuses the workspace of an earlier version, before anything is written
        write_if_changed(stages, wire_embeddings(stages.read_text(), reads_embeddings(plan)))
    note = "# Digests of the code each stage runs; written by metricloop, so that new code counts as a change.\n"
    params = load_params(folder / layout.PARAMS)
    weights = {"weights": weights_digest(params.train.weights), "embed_weights": weights_digest(params.embed.weights)}
    write_if_changed(
        folder / layout.CODE, note + yaml.safe_dump(code_digest.digests(stage_kinds()) | weights, sort_keys=False)
    )
    write_if_changed(folder / layout.CATALOGUE, note + yaml.safe_dump(code_digest.catalogue_digests()))


if __name__ == "__main__":  # makes the repository's root a workspace; `make setup` does it
    write_if_changed(code_digest.HOME / layout.STAGES, render_stages(drawn=True))
    refresh_code(code_digest.HOME)
