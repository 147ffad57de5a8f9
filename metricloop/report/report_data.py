"""Read what the report shows of a study from its workspace."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.comparison.background import Background
from metricloop.comparison.comparison_file import read_comparison, read_confirmation
from metricloop.data.dataset import Dataset
from metricloop.data.loading import load
from metricloop.data.pool import read_pool
from metricloop.data.tables import read_json
from metricloop.llm.journal import Event, read_journal
from metricloop.params import ParamsError
from metricloop.study.background import read_background
from metricloop.study.plan import PlanError, load_plan


@dataclass(frozen=True)
class ReportData:
    """The inputs of the page. plan: arms.yaml merged with rounds.yaml. data: all splits. pool: what subsets are drawn
    from. search: the split that all numbers are measured on. problems: rows of problems.csv. confirmation:
    confirmation.json; None without one. openings: the lines of opened.jsonl. events: of the journal.
    background: for the advice on the next step, without the workspace's path; None where params.yaml cannot be read.
    """

    folder: Path
    comparison: dict[str, Any]
    plan: dict[str, dict[str, Any]]
    data: Dataset
    pool: Dataset
    search: Dataset
    summary: dict[str, Any]
    problems: list[dict[str, str]]
    confirmation: dict[str, Any] | None
    openings: list[dict[str, Any]]
    events: list[Event]
    background: Background | None


def read_report_data(folder: Path, root: Path) -> ReportData:
    """Read a compared study. folder: its workspace; root: the folder that image files are relative to.

    Errors: OtherVersionError for a study that another version of metricloop has compared.
    """
    problems, summary, openings = (folder / name for name in (layout.PROBLEMS, layout.SUMMARY, layout.OPENINGS))
    return ReportData(
        folder=folder,
        comparison=read_comparison(folder),
        plan=load_plan(folder),
        data=load(folder / layout.DATA, root),
        pool=read_pool(folder / layout.DATA, root),
        search=load(folder / layout.DATA, root, "search"),
        summary=read_json(summary) if summary.is_file() else {},
        problems=list(csv.DictReader(problems.read_text().splitlines())) if problems.is_file() else [],
        confirmation=read_confirmation(folder) if (folder / layout.CONFIRMATION).is_file() else None,
        openings=[json.loads(line) for line in openings.read_text().splitlines()] if openings.is_file() else [],
        events=read_journal(folder / layout.JOURNAL),
        background=_background(folder),
    )


def _background(folder: Path) -> Background | None:
    """Commands of the page are for the workspace that one stands in: the page may be read elsewhere."""
    try:
        return replace(read_background(folder), folder=Path("."))
    except (ParamsError, PlanError):
        return None
