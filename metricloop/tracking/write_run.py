"""Write a run record to MLflow. A run carries the hash of its record, so that what is there already is known."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metricloop import layout
from metricloop.tracking.records import RunRecord
from metricloop.tracking.subset_sheet import subset_sheet
from metricloop.tracking.traces import write_trace

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

KEY = "metricloop.key"
SHEET = "subset.jpg"  # in the files of an arm's run: pictures that it trains on


def database_uri(folder: Path) -> str:
    """The address of a workspace's own MLflow database."""
    return f"sqlite:///{folder / layout.MLFLOW}"


def client_of(uri: str) -> MlflowClient:
    """A client of the MLflow at an address, such as sqlite:///... or http://..."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # our files are few and small
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):  # without this the first call prints every migration of an empty database
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def experiment_of(client: MlflowClient, study: str, files: Path | None) -> str:
    """The id of the study's experiment, which is created, or restored after a deletion.

    files: where its files are kept; None leaves that to the server. MLflow knows that place as an absolute path. So
    the experiment of a workspace that was moved or copied is put aside, for it would write into the former place.
    """
    found = client.get_experiment_by_name(study)
    if found is not None and files is not None and found.artifact_location != files.as_uri():
        client.rename_experiment(found.experiment_id, f"{study}, before it was moved ({found.experiment_id})")
        client.delete_experiment(found.experiment_id)
        found = None
    if found is None:
        return client.create_experiment(study, artifact_location=files.as_uri() if files else None)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def write_run(
    client: MlflowClient, experiment: str, folder: Path, run: RunRecord, time: int, tags: dict[str, str]
) -> str:
    """Write one run and return its id. The key is written last: an interrupted run never counts as complete.

    time: milliseconds since 1970, for a run that does not know when it began.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    began = time if run.began is None else run.began
    ended = began if run.ended is None else run.ended
    run_id = client.create_run(experiment, start_time=began, run_name=run.name, tags=tags).info.run_id
    if run.dataset:
        name, digest = run.dataset
        source = json.dumps({"uri": (folder / name).as_uri()})
        client.log_inputs(
            run_id,
            [DatasetInput(Dataset(name, digest, "local", source), [InputTag("mlflow.data.context", "training")])],
        )
    if run.file:
        client.log_artifact(run_id, str(folder / run.file[0]))
    if run.sheet and (sheet := subset_sheet(folder, run.sheet)):
        with tempfile.TemporaryDirectory() as scratch:
            picture = Path(scratch, SHEET)
            picture.write_bytes(sheet.jpeg)
            client.log_artifact(run_id, str(picture))
    for name, text in run.texts.items():
        client.log_text(run_id, text, name)
    for call in run.calls:
        write_trace(client, experiment, run_id, call)
    steps = max((step for _, step in run.curve), default=0) or 1
    client.log_batch(
        run_id,
        metrics=[
            *(Metric(name, value, ended, 0) for name, value in run.metrics.items()),
            *(Metric("loss", value, began + (ended - began) * step // steps, step) for value, step in run.curve),
        ],
        params=[Param(name, value) for name, value in run.params.items()],
        tags=[RunTag(name, value) for name, value in (run.tags | {KEY: run.key}).items()],
    )
    client.set_terminated(run_id, end_time=ended)
    return run_id


def all_runs(client: MlflowClient, experiment: str) -> Iterator[Any]:
    """Every run of an experiment that is not deleted."""
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
