"""Write the records of a study to an experiment of MLflow: runs that are there are kept, others made or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metricloop import layout
from metricloop.llm.journal import read_journal
from metricloop.tracking.language_model_runs import origins
from metricloop.tracking.records import RunRecord
from metricloop.tracking.traces import delete_traces
from metricloop.tracking.write_run import KEY, all_runs, write_run

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"  # the description
LINKS = ("round", "suggestion", "conversation", NOTE)  # tags that lead from an arm to the round it came from


@dataclass(frozen=True)
class Written:
    """runs: key -> (record, run id) of all that is shown now. gone: ids of deleted runs. made: number of new ones."""

    runs: dict[str, tuple[RunRecord, str]]
    gone: list[str]
    made: int

    @property
    def unchanged(self) -> int:
        return len(self.runs) - self.made


def write_study(
    client: MlflowClient,
    experiment: str,
    folder: Path,
    wanted: Sequence[tuple[RunRecord, Sequence[RunRecord]]],
    stamp: Mapping[str, str],
) -> Written:
    """Make an experiment hold the wanted runs with their children. stamp: tags of ours; other runs stay untouched."""
    present = [run for run in all_runs(client, experiment) if stamp.items() <= run.data.tags.items()]
    # A run without a key was interrupted while it was written: it matches nothing and is deleted.
    there = {run.data.tags.get(KEY, run.info.run_id): run.info.run_id for run in present}
    started = client.get_experiment(experiment).creation_time or 0
    shown: dict[str, tuple[RunRecord, str]] = {}
    for top, children in wanted:
        adopt = top.key not in there
        time = started - 1000 * top.rank  # MLflow lists the newest run first
        parent = there.get(top.key) or write_run(client, experiment, folder, top, time, dict(stamp))
        shown[top.key] = top, parent
        for child in children:
            run_id = there.get(child.key)
            if run_id is None:
                tags = {**stamp, PARENT: parent}
                run_id = write_run(client, experiment, folder, child, time - 1000 * child.rank, tags)
            elif adopt:
                client.set_tag(run_id, PARENT, parent)
            shown[child.key] = child, run_id
    gone = [run_id for key, run_id in there.items() if key not in shown]
    for run_id in gone:
        delete_traces(client, experiment, run_id)
        client.delete_run(run_id)
    tags_of = {run.info.run_id: run.data.tags for run in present}
    _link(client, experiment, folder, list(shown.values()), tags_of)
    return Written(shown, gone, len(shown) - (len(there) - len(gone)))


def _link(
    client: MlflowClient,
    experiment: str,
    folder: Path,
    shown: Sequence[tuple[RunRecord, str]],
    tags_of: Mapping[str, Mapping[str, str]],
) -> None:
    """Link the arms and trials of each suggestion to the round that it came from.

    These tags are not part of a run's key: when a round is written again, its trials are not. tags_of: the tags of the
    runs that were there before.
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
        before = tags_of.get(run_id, {})
        for name in LINKS:
            if name in tags and before.get(name) != tags[name]:
                client.set_tag(run_id, name, tags[name])
            elif name in before and name not in tags:
                client.delete_tag(run_id, name)
