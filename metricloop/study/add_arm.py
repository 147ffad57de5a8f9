"""Add a metric's batch, arm and block to arms.yaml as text, so that all other lines of the file stay as they are.

ruamel.yaml, which keeps comments, would not do: it attaches the comment above a section to the entry before it. An
entry added at the end of `batches` would then stand below the comment of `arms`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from metricloop import layout
from metricloop.data.tables import replacing
from metricloop.metrics.contract import Spec
from metricloop.study.plan import Plan

MINE = "mine"  # batches of a person's own metrics are called mine-METRIC
# What a metric or a repair may declare as needed -> its file. Views come first: `predict` writes them with the
# predictions, so their file stands for both.
FILE_OF = {"views": layout.VIEWS, "predictions": layout.PREDICTIONS, "embedding": layout.EMBEDDINGS}


class AppendError(ValueError):
    """Entries cannot be added; the message says why, and what to add by hand."""


def arm_name(plan: Plan, metric: str, policy: str) -> str:
    """A free name for an arm: METRIC, METRIC_POLICY, or METRIC_POLICY_NUMBER."""
    tries = [metric, f"{metric}_{policy}", *(f"{metric}_{policy}_{number}" for number in range(2, 100))]
    return next(name for name in tries if name not in plan["arms"])


def file_for(needs: Collection[str]) -> str:
    """The file that the plan names under `needs`, for a metric or a repair. needs: what its code declares."""
    return next((file for need, file in FILE_OF.items() if need in needs), layout.IMAGES)


def entries_for(plan: Plan, spec: Spec, code: str, policy: Mapping[str, Any], arm: str, seeds: int) -> Plan:
    """The entries for arms.yaml: the arm, its block, and a batch unless one scores this metric already.

    code: the metric's file, relative to the workspace. Errors: AppendError when another file has a metric of this name.
    """
    batches = {name: entry for name, entry in plan["batches"].items() if spec.name in entry["metrics"]}
    addition: Plan = {"batches": {}, "arms": {}, "blocks": {}}
    batch = next((name for name, entry in batches.items() if entry["code"] == code), None)
    if batch is None and batches:
        other, entry = next(iter(batches.items()))
        raise AppendError(
            f"another metric is called {spec.name} already (batch {other}, {entry['code']}); give yours another name"
        )
    if batch is None:
        batch = f"{MINE}-{spec.name}"
        addition["batches"][batch] = {"code": code, "needs": file_for(spec.needs), "metrics": [spec.name]}
    file = layout.scores_file(batch, spec.name)
    addition["arms"][arm] = {
        "role": "treatment", "metric": spec.name, "a": file, "b": file, "policy": dict(policy)
    }  # fmt: skip
    addition["blocks"][f"{arm}.0"] = {"arm": arm, "seeds": f"0-{seeds - 1}"}
    return addition


def append_entries(path: Path, addition: Plan) -> None:
    """Write `addition` into a plan file. Errors: AppendError; the file is then unchanged."""
    text = with_entries(path.read_text() if path.is_file() else "", addition, path.name)
    with replacing(path) as temporary:
        temporary.write_text(text)


def with_entries(text: str, addition: Plan, where: str = layout.ARMS) -> str:
    """The text with every entry of `addition` at the end of its section; missing sections are added.

    where: the file's name, for messages. Errors: AppendError for a name that the file already has, and when the new
    text, read as YAML, is not the old plan and the addition.
    """
    old, made = _sections(text), text
    for section, entries in addition.items():
        if taken := entries.keys() & old.get(section, {}).keys():
            raise AppendError(f"{where}: {section} has {', '.join(sorted(taken))} already")
    wanted = {name: {**old.get(name, {}), **addition.get(name, {})} for name in {**old, **addition}}
    try:
        for section, entries in addition.items():
            made = _into(made, section, entries) if entries else made
        sound = _sections(made) == {name: entries for name, entries in wanted.items() if entries}
    except yaml.YAMLError:
        sound = False
    if not sound:
        raise AppendError(f"{where} has an unusual layout; add this to it yourself:\n{as_yaml(addition)}")
    return made


def as_yaml(addition: Plan) -> str:
    """The entries as YAML text, as they stand in the file."""
    return "\n".join(f"{name}:\n{_lines(entries, 2).rstrip()}" for name, entries in addition.items() if entries)


def _into(text: str, section: str, entries: dict) -> str:
    root = yaml.compose(text)
    pairs = {key.value: (key, value) for key, value in root.value} if isinstance(root, yaml.MappingNode) else {}
    if section not in pairs:
        return f"{_ended(text)}{section}:\n{_lines(entries, 2)}"
    key, value = pairs[section]
    if value.value and isinstance(value, yaml.MappingNode):
        place, indent = _end(value), value.start_mark.column
    else:  # `{}` or nothing: the entries replace it
        text = text[: key.end_mark.index] + ":" + text[max(key.end_mark.index + 1, value.end_mark.index) :]
        place, indent = key.end_mark.index, 2
    if text[place - 1] != "\n":  # a folded text ends at the start of the next line
        newline = text.find("\n", place)
        place = len(text) if newline < 0 else newline + 1
    return _ended(text[:place]) + _lines(entries, indent) + text[place:]


def _end(node: yaml.Node) -> int:
    """The position in the text where the last value of a node ends, before any comment."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node.end_mark.index


def _lines(entries: dict, indent: int) -> str:
    text = yaml.safe_dump(entries, default_flow_style=None, sort_keys=False, width=10_000)
    return textwrap.indent(text, " " * indent)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _sections(text: str) -> dict[str, dict[str, Any]]:
    """The sections of a plan file that are not empty."""
    return {name: entries for name, entries in (yaml.safe_load(text) or {}).items() if entries}
