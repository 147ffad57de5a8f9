"""The page of a study's experiment in MLflow: its description, and tables of runs with chosen columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from metricloop import layout
from metricloop.comparison.comparison_table import markdown_table
from metricloop.tracking.write_study import NOTE

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

LONGEST = 20_000  # characters that MLflow takes for the tag of an experiment
VIEW = "comparison"  # saved view of the arms: columns and order
ROUNDS = "rounds"  # saved view of the language model's rounds
COLUMNS = {  # of VIEW, in this order, with their widths in pixels
    "tags.`role`": 90, "tags.`verdict`": 95, "metrics.`gain_mAP`": 95, "metrics.`mAP`": 75, "metrics.`gain_mAR`": 95,
    "metrics.`mAR`": 75, "metrics.`p_holm`": 80, "metrics.`images`": 75, "metrics.`boxes`": 75, "params.`policy`": 160,
    "attributes.`Dataset`": 260, "duration": 80,
}  # fmt: skip
ROUND_COLUMNS = {
    "metrics.`proposed`": 90, "metrics.`accepted`": 90, "metrics.`repaired`": 90, "metrics.`refused`": 90,
    "metrics.`cost`": 80, "metrics.`seconds`": 90, "params.`model`": 160, "params.`provider`": 100,
    "metrics.`prompt_tokens`": 120, "metrics.`completion_tokens`": 140,
}  # fmt: skip


def describe(
    client: MlflowClient, experiment: str, comparison: dict[str, Any], cards: Sequence[str], *, promoted: bool
) -> None:
    """Set the experiment's description and saved views. cards: run ids of the model's scorecard, one or none.

    promoted: whether detectors are registered.
    """
    page = f"#/experiments/{experiment}/runs"
    links = [f"[Arms with role and gain as columns]({page}?viewStateShareKey={VIEW})"]
    if cards:
        links.append(f"[The language model's rounds]({page}?viewStateShareKey={ROUNDS})")
        links.append(f"[its ideas and scorecard]({page}/{cards[0]})")
    if promoted:
        links.append(f"[the promoted detectors](#/models/{comparison['study']})")
    tags = {
        "mlflow.experimentKind": "custom_model_development",  # opens on the table of runs
        NOTE: within(f"{', '.join(links)}\n\n{markdown_table(comparison)}"),
        f"mlflow.sharedViewState.{VIEW}": _view("Comparison with random", "arm", COLUMNS, "metrics.`gain_mAP`"),
        f"mlflow.sharedViewState.{ROUNDS}": _view("Rounds", "round", ROUND_COLUMNS, "tags.`round`"),
    }
    present = client.get_experiment(experiment).tags
    for name, value in tags.items():
        if present.get(name) != value:
            client.set_experiment_tag(experiment, name, value)


def within(text: str, most: int = LONGEST) -> str:
    """A page in Markdown of at most `most` characters: the last rows of its table are replaced by their number.

    >>> within("a table:\\n" + "| arm |\\n" * 10 + "its end", 60)
    'a table:\\n| arm |\\n\\n9 more rows: see report.html\\nits end'
    """
    lines = text.split("\n")
    rows = [number for number, line in enumerate(lines) if line.startswith("|")]
    for kept in range(len(rows) - 1, 0, -1):
        if len(text) <= most:
            break
        told = ["", f"{len(rows) - kept} more rows: see {layout.REPORT}"]
        text = "\n".join([*lines[: rows[kept]], *told, *lines[rows[-1] + 1 :]])
    return text[:most]


def _view(name: str, kind: str, columns: dict[str, int], order: str) -> str:
    """A saved view of the UI as JSON: runs of one kind, the highest `order` first. columns: their widths in pixels."""
    state = {
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": columns,
        "searchFilter": f"tags.kind = '{kind}'",
        "orderByKey": order,
        "orderByAsc": False,
    }
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})
