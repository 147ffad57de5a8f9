"""Show a study in MLflow: arms, trials, the rounds of the language model, and promoted detectors.

MLflow is a view and never a record. Every run carries the hash of its content (RunRecord.key): runs that MLflow has
already are kept, missing ones are made, all others are deleted.
"""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison
from metricloop.comparison.comparison_table import markdown_table
from metricloop.llm.journal import read_journal
from metricloop.tracking.arm_runs import arm_runs
from metricloop.tracking.language_model_runs import language_model_runs, origins
from metricloop.tracking.promoted_runs import promoted_line, promoted_runs
from metricloop.tracking.records import RunRecord
from metricloop.tracking.registry import forget_others, show
from metricloop.tracking.traces import delete_traces
from metricloop.tracking.write_run import KEY, all_runs, client_of, database_uri, experiment_of, write_run

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"  # the description
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


@dataclass(frozen=True)
class Summary:
    """The result of `track`: numbers of runs made, deleted and unchanged, and where MLflow keeps them."""

    experiment_id: str
    made: int
    deleted: int
    unchanged: int
    database: Path

    @property
    def ui_command(self) -> str:
        return f"mlflow ui --backend-store-uri sqlite:///{self.database}"

    def models_page(self, study: str) -> str:
        """The registered versions of the study's detector in that UI."""
        return f"http://127.0.0.1:5000/#/models/{study}"

    @property
    def page(self) -> str:
        """The comparison table in the UI that `ui_command` starts."""
        return f"http://127.0.0.1:5000/#/experiments/{self.experiment_id}/runs?viewStateShareKey={VIEW}"


def track(folder: Path) -> Summary:
    """Make MLflow show the study in `folder`; changes nothing where it does already.

    The database is FOLDER/mlflow.db, files are under FOLDER/mlruns. Only one process may call this at a time.
    Errors: OtherVersionError for a study that another version of metricloop has compared; nothing is written then.
    """
    folder = folder.resolve()
    comparison = read_comparison(folder)
    promoted = promoted_runs(folder)
    wanted: list[tuple[RunRecord, list[RunRecord]]] = [*arm_runs(folder), *language_model_runs(folder)]
    wanted += [(run, []) for run in promoted.values()]
    client = client_of(database_uri(folder))
    experiment = experiment_of(client, comparison["study"], folder / layout.MLFLOW_FILES)
    # A run without a key was interrupted while it was written: it matches nothing and is deleted.
    there = {run.data.tags.get(KEY, run.info.run_id): run.info.run_id for run in all_runs(client, experiment)}
    started = client.get_experiment(experiment).creation_time or 0
    shown: dict[str, tuple[RunRecord, str]] = {}
    for top, children in wanted:
        adopt = top.key not in there
        time = started - 1000 * top.rank  # MLflow lists the newest run first
        parent = there.get(top.key) or write_run(client, experiment, folder, top, time, {})
        shown[top.key] = top, parent
        for child in children:
            run_id = there.get(child.key)
            if run_id is None:
                run_id = write_run(client, experiment, folder, child, time - 1000 * child.rank, {PARENT: parent})
            elif adopt:
                client.set_tag(run_id, PARENT, parent)
            shown[child.key] = child, run_id
    gone = [run_id for key, run_id in there.items() if key not in shown]
    for run_id in gone:
        delete_traces(client, experiment, run_id)
        client.delete_run(run_id)
        shutil.rmtree(folder / layout.MLFLOW_FILES / run_id, ignore_errors=True)
    _link(client, experiment, folder, list(shown.values()))
    versions = show(client, experiment, folder, {number: shown[run.key][1] for number, run in promoted.items()})
    forget_others(client, experiment, folder, comparison["study"], versions)
    cards = [run_id for run, run_id in shown.values() if run.tags["kind"] == "model"]
    _describe(client, experiment, comparison, cards, promoted=bool(promoted))
    kept = len(there) - len(gone)
    return Summary(experiment, len(shown) - kept, len(gone), kept, folder / layout.MLFLOW)


def _link(client: MlflowClient, experiment: str, folder: Path, shown: list[tuple[RunRecord, str]]) -> None:
    """Link the arms and trials of each suggestion to the round that it came from.

    These tags are not part of a run's key: when a round is written again, its trials are not.
    """
    rounds = {run.tags["round"]: run_id for run, run_id in shown if run.tags["kind"] == "round"}
    suggested = origins(read_journal(folder / layout.JOURNAL))
    for run, run_id in shown:
        if run.tags["kind"] not in ("arm", "trial"):
            continue
        number = suggested.get(run.tags["arm"])
        tags = {}
        if number is not None:
            page = f"#/experiments/{experiment}/runs/{rounds[str(number)]}"
            note = (
                f"Suggested by the language model in round {number}: "
                f"[questions and answers]({page}/traces), [idea, code and gate results]({page})"
            )
            tags = {"round": str(number), "suggestion": run.tags["arm"], "conversation": f"{page}/traces", NOTE: note}
        present = client.get_run(run_id).data.tags
        for name in ("round", "suggestion", "conversation", NOTE):
            if name in tags and present.get(name) != tags[name]:
                client.set_tag(run_id, name, tags[name])
            elif name in present and name not in tags:
                client.delete_tag(run_id, name)


def _describe(
    client: MlflowClient, experiment: str, comparison: dict[str, Any], cards: list[str], *, promoted: bool
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
        NOTE: f"{', '.join(links)}\n\n{markdown_table(comparison)}",
        f"mlflow.sharedViewState.{VIEW}": _view("Comparison with random", "arm", COLUMNS, "metrics.`gain_mAP`"),
        f"mlflow.sharedViewState.{ROUNDS}": _view("Rounds", "round", ROUND_COLUMNS, "tags.`round`"),
    }
    present = client.get_experiment(experiment).tags
    for name, value in tags.items():
        if present.get(name) != value:
            client.set_experiment_tag(experiment, name, value)


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


def where_to_look(folder: Path) -> str:
    """The champion, if any, the command that starts the MLflow UI of a tracked study, and what to open there."""
    import sqlite3

    database = folder.resolve() / layout.MLFLOW
    name = read_comparison(folder)["study"]
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (experiment,) = connection.execute("SELECT experiment_id FROM experiments WHERE name = ?", [name]).fetchone()
    summary = Summary(str(experiment), 0, 0, 0, database)
    lines = [f"MLflow UI:  {summary.ui_command}", f"            then open {summary.page}"]
    if detector := promoted_line(folder):
        lines = [detector, *lines, f"            or {summary.models_page(name)}"]
    return "\n".join(lines)
