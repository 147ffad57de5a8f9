"""The study at another MLflow, the one that MLFLOW_TRACKING_URI names: a copy of what its own database shows.

An experiment there belongs to the workspace that wrote it first; another workspace with a study of the same name gets
an experiment of its own. Only runs of this workspace are ever deleted. Where that MLflow does not answer, nothing is
lost: the next call writes what is missing.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison
from metricloop.text.shell import command_line
from metricloop.tracking.registry import OWNER, URI, told, without_password, workspace_id
from metricloop.tracking.track import scorecards, study_runs
from metricloop.tracking.views import describe
from metricloop.tracking.write_run import client_of, experiment_of
from metricloop.tracking.write_study import Written, write_study

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

REASON = 160  # most characters of an error
PATIENCE = 3.0  # seconds for a server to answer the first time
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
UNREADABLE = "the address cannot be read; in a user or password write / as %2F, @ as %40 and # as %23"
LIMITS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}  # MLflow's own take minutes


def mirror(folder: Path, uri: str) -> Written:
    """Write the runs of a tracked study to the MLflow at `uri`. Errors: MlflowException, and those of _answers."""
    folder = folder.resolve()
    for name, value in LIMITS.items():
        os.environ.setdefault(name, value)
    _answers(uri)
    comparison, mine = read_comparison(folder), workspace_id(folder)
    client = client_of(uri)
    experiment = experiment_there(client, comparison["study"], mine)
    written = write_study(client, experiment, folder, study_runs(folder), {OWNER: mine})
    describe(client, experiment, comparison, scorecards(written.runs), promoted=False)
    return written


def mirrored(folder: Path, uri: str) -> str:
    """Do the same, and tell the outcome in a line. An MLflow that is not there, or refuses, costs that line only."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if not uri or is_own(folder, uri):
        return ""
    place = f"MLflow at {without_password(uri)} (from {URI})"
    try:
        written = mirror(folder, uri)
    except (MlflowException, OSError, SQLAlchemyError, ImportError, ValueError) as error:
        again = command_line("metricloop", "track", "-C", folder.resolve())
        return f"{place} was left out: {shorten(told(error, uri), REASON)}; catch up later: {again}"
    return f"{place}: {written.made} runs made, {len(written.gone)} deleted, {written.unchanged} unchanged"


def is_own(folder: Path, uri: str) -> bool:
    """Whether an address is that of the workspace's own database."""
    scheme, _, path = uri.partition(":///")
    return scheme == "sqlite" and (folder / path).resolve() == (folder / layout.MLFLOW).resolve()


def experiment_there(client: MlflowClient, study: str, mine: str) -> str:
    """The id of this workspace's experiment at another MLflow, which is made where there is none. mine: its id."""
    found = client.get_experiment_by_name(study)
    taken = found is not None and found.tags.get(OWNER, mine) != mine
    experiment = experiment_of(client, f"{study} {mine[:7]}" if taken else study, None)
    client.set_experiment_tag(experiment, OWNER, mine)
    return experiment


def _answers(uri: str) -> None:
    """Fail within seconds where the server or database does not answer; MLflow itself would try for minutes.

    Errors: OSError; SQLAlchemyError and ImportError for a database that cannot be opened; ValueError for an address
    that cannot be read, without the address, which may hold a password.
    """
    import requests

    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme in ("http", "https"):
        try:
            requests.get(f"{uri.rstrip('/')}/health", timeout=PATIENCE)  # any answer will do: it may ask for a login
        except requests.Timeout:
            raise TimeoutError(f"no answer in {PATIENCE:g} s") from None
        except requests.ConnectionError:
            raise ConnectionError("nobody answers there") from None
        except ValueError:
            raise ValueError(UNREADABLE) from None
    elif scheme in PORTS or scheme == "sqlite":
        _opens(uri, PORTS.get(scheme))


def _opens(uri: str, port: int | None) -> None:
    """Open a database once. port: of its server, when the address has none; None where it is a file."""
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise ValueError(UNREADABLE) from None
    if port is None:
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)  # as MLflow does
    elif url.host:
        socket.create_connection((url.host, url.port or port), PATIENCE).close()
    engine = create_engine(url)
    try:
        engine.connect().close()
    finally:
        engine.dispose()
