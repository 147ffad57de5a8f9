"""A take-home in MLflow: one run with its settings, its scorecard, its files, and the calls of the language model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.tables import read_json
from metricloop.llm.journal import read_journal
from metricloop.takehome.history import files_after
from metricloop.takehome.memory import messages
from metricloop.takehome.scorecard_text import markdown
from metricloop.takehome.settings import SCORECARD, TRANSCRIPT, load_settings
from metricloop.text.clean import printable
from metricloop.tracking.language_model_calls import calls
from metricloop.tracking.records import RunRecord
from metricloop.tracking.traces import delete_traces
from metricloop.tracking.track import Summary
from metricloop.tracking.write_run import KEY, all_runs, client_of, database_uri, experiment_of, write_run
from metricloop.tracking.write_study import NOTE

EXPERIMENT = "take-home"


def track_takehome(folder: Path) -> Summary:
    """Make MLflow show the take-home in `folder`, in FOLDER/mlflow.db."""
    record = takehome_run(folder)
    return show_runs(folder, f"{EXPERIMENT} {record.name}", [record], record.texts["scorecard.md"])


def takehome_run(folder: Path) -> RunRecord:
    """The run of a take-home that has a scorecard."""
    card, settings = read_json(folder / SCORECARD), load_settings(folder)
    events = read_journal(folder / layout.JOURNAL)
    files = files_after(events)
    params = {
        "kind": card["kind"], "model": printable(card["model"]), "provider": card["provider"],
        "rounds": str(settings.takehome.rounds), "repairs allowed": str(settings.llm.repairs),
        "recorded": card["recorded"] or "",
    }  # fmt: skip
    return RunRecord(
        card["assignment"],
        params={name: value for name, value in params.items() if value},
        tags={"kind": "takehome"} | {row["check"]: row["status"] for row in card["rows"]},
        metrics=metrics_of(card),
        texts={
            "scorecard.md": markdown(card),
            TRANSCRIPT: (folder / TRANSCRIPT).read_text(encoding="utf-8"),
            **{f"application/{name}": text for name, text in files.items()},
        },
        calls=tuple(calls(events, messages)),
    )


def metrics_of(card: dict[str, Any]) -> dict[str, float]:
    """The numbers of a scorecard."""
    plain = ("at_once", "unaided", "checks", "calls", "repairs", "unusable", "tokens", "minutes", "dollars")
    found = {name: card[name] for name in plain}
    found |= {f"score_{name}": value for name, value in card["score"].items()}
    found |= {f"own_{name}": value for name, value in card["own"].items()}
    found |= {f"reference_{name}": value for name, value in (card["reference"] or {}).items()}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def show_runs(folder: Path, name: str, runs: Sequence[RunRecord], note: str) -> Summary:
    """Make MLflow show these runs in the experiment `name`, and no others. note: the experiment's description.

    The database is FOLDER/mlflow.db. Only one process may call this at a time.
    """
    folder = folder.resolve()
    client = client_of(database_uri(folder))
    experiment = experiment_of(client, name, folder / layout.MLFLOW_FILES)
    there = {run.data.tags.get(KEY, run.info.run_id): run.info.run_id for run in all_runs(client, experiment)}
    started = client.get_experiment(experiment).creation_time or 0
    for run in runs:
        if run.key not in there:
            write_run(client, experiment, folder, run, started - 1000 * run.rank, {})
    keys = {run.key for run in runs}
    gone = [run_id for key, run_id in there.items() if key not in keys]
    for run_id in gone:
        delete_traces(client, experiment, run_id)
        client.delete_run(run_id)
        shutil.rmtree(folder / layout.MLFLOW_FILES / run_id, ignore_errors=True)
    if client.get_experiment(experiment).tags.get(NOTE) != note:
        client.set_experiment_tag(experiment, NOTE, note)
    kept = len(there) - len(gone)
    return Summary(experiment, len(keys) - kept, len(gone), kept, folder / layout.MLFLOW)
