"""Show a study in its own MLflow: arms, trials, the rounds of the language model, and promoted detectors.

MLflow is a view and never a record. Every run carries the hash of its content (RunRecord.key): runs that MLflow has
already are kept, missing ones are made, all others are deleted.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison
from metricloop.tracking.arm_runs import arm_runs
from metricloop.tracking.language_model_runs import language_model_runs
from metricloop.tracking.promoted_runs import promoted_line, promoted_runs
from metricloop.tracking.records import RunRecord
from metricloop.tracking.registry import forget_others, show
from metricloop.tracking.views import VIEW, describe
from metricloop.tracking.write_run import client_of, database_uri, experiment_of
from metricloop.tracking.write_study import write_study


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
    wanted = [*study_runs(folder), *((run, []) for run in promoted.values())]
    client = client_of(database_uri(folder))
    experiment = experiment_of(client, comparison["study"], folder / layout.MLFLOW_FILES)
    written = write_study(client, experiment, folder, wanted, {})
    for run_id in written.gone:
        shutil.rmtree(folder / layout.MLFLOW_FILES / run_id, ignore_errors=True)
    versions = show(client, experiment, folder, {number: written.runs[run.key][1] for number, run in promoted.items()})
    forget_others(client, experiment, folder, comparison["study"], versions)
    describe(client, experiment, comparison, scorecards(written.runs), promoted=bool(promoted))
    return Summary(experiment, written.made, len(written.gone), written.unchanged, folder / layout.MLFLOW)


def study_runs(folder: Path) -> list[tuple[RunRecord, list[RunRecord]]]:
    """The runs of a study's arms and of the language model, each with its children."""
    return [*arm_runs(folder), *language_model_runs(folder)]


def scorecards(shown: dict[str, tuple[RunRecord, str]]) -> list[str]:
    """The run ids of the language model's scorecard: one, or none."""
    return [run_id for run, run_id in shown.values() if run.tags["kind"] == "model"]


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
