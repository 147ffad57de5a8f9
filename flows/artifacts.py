"""What Prefect's pages show of a study: table, verdict, report and progress as artifacts, and names for people."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.runtime import flow_run, task_run

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison
from metricloop.comparison.comparison_table import HEADER, cells, markdown_table
from metricloop.data.tables import read_yaml


def show_study(folder: Path) -> None:
    """Make the artifacts of a compared study: its table, its verdict as Markdown, and a link to the report."""
    comparison = read_comparison(folder)
    study, name = comparison["study"], slug(comparison["study"])
    rows = [dict(zip(HEADER, cells(arm), strict=True)) for arm in comparison["arms"]]
    create_table_artifact(rows, f"comparison-{name}", f"The arms of the study {study}, on the search split.")
    create_markdown_artifact(markdown_table(comparison), f"verdict-{name}", f"What the study {study} has found.")
    report = folder / layout.REPORT
    create_link_artifact(report.as_uri(), str(report), f"report-{name}", f"The report of the study {study}.")


class Progress:
    """A bar on the page of the flow run. label: what is counted, for people."""

    def __init__(self, study: str, label: str, total: int) -> None:
        self.done, self.total = 0, total
        self.id = create_progress_artifact(0.0, f"trials-{slug(study)}", label)

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        update_progress_artifact(self.id, round(100 * self.done / self.total, 1))  # type: ignore[arg-type]


def slug(name: str) -> str:
    """Turn a name into a key that Prefect accepts: lower-case letters, digits and dashes only.

    If this changes the name, six digits of its hash are added, so that studies a.b and A_B get different keys.
    """
    key = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "study"
    return key if key == name else f"{key}-{sha256(name.encode()).hexdigest()[:6]}"


def study_of(workspace: Path | str) -> str:
    """The name of a workspace's study, or of its folder where there is none yet."""
    folder = Path(workspace).resolve()
    try:
        return str(read_yaml(folder / layout.PARAMS)["study"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.name


def flow_name() -> str:
    """Such as "improve lions", of the flow run that begins."""
    given: dict[str, Any] = flow_run.parameters
    kind = str(flow_run.flow_name)
    if "chains" in given:
        return f"{len(given['chains'])} blocks of {study_of(given['folder'])}"
    words = [kind, study_of(given.get("workspace") or f"takehome-{given.get('assignment')}")]
    return " ".join([*words, f"arm {given['arm']}"] if given.get("arm") else words)


def step_name() -> str:
    """The name of the task run that begins, such as "suggest, round 2" or "report"."""
    given: dict[str, Any] = task_run.parameters
    name = str(given["module"]).rpartition(".")[2]
    return f"{name}, round {given['number']}" if "number" in given else name
