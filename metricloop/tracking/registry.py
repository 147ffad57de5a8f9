"""Promoted detectors in MLflow's registry: a LoggedModel and a registered version each, with the aliases.

The folders under promoted/ are the record; what is written here can be written again from them.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metricloop import layout
from metricloop.delivery.detector_folder import FACTS, read_facts
from metricloop.delivery.promoted import CHAMPION, PREVIOUS, aliases, all_facts
from metricloop.serving.detector import usual_score
from metricloop.tracking.promoted_runs import in_words, promoted_runs, short_stamps, stamps
from metricloop.tracking.write_run import KEY, all_runs, client_of, database_uri, experiment_of, write_run

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

URI = "MLFLOW_TRACKING_URI"
MODEL_TYPE = "detector"  # of our logged models
OWNER = "metricloop.workspace"  # tag of a registered model at another MLflow: which workspace it belongs to
PREFIXES = ("MLFLOW_", "AWS_", "AZURE_", "GOOGLE_")  # variables with which a server and its store of files are reached
CODE = Path(__file__).with_name("served_model.py")


class RegistryError(RuntimeError):
    """MLflow's registry cannot be used; the message says where it is and what to do."""


def server_variables() -> dict[str, str]:
    """The environment variables for MLflow. Only steps that write to MLflow get them: some are secrets."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIXES)}


def register(folder: Path, uri: str) -> dict[int, str]:
    """Register the promoted detectors of a workspace at another MLflow than its own. Nothing there is deleted.

    A model there belongs to the workspace that registered it first; another one is refused.
    Returns promoted version -> version in the registry. Errors: RegistryError.
    """
    from mlflow.exceptions import MlflowException

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's own 7 take minutes
    folder, runs = folder.resolve(), promoted_runs(folder)
    facts = all_facts(folder)
    study, name = next(iter(facts.values()))["study"], facts[max(facts)]["name"]
    try:
        client = client_of(uri)
        _claim(client, name, study, folder, uri)
        experiment = experiment_of(client, study, None)
        there = {run.data.tags.get(KEY): run.info.run_id for run in all_runs(client, experiment)}
        started = client.get_experiment(experiment).creation_time or 0
        run_ids = {
            version: there.get(run.key) or write_run(client, experiment, folder, run, started - 1000 * run.rank, {})
            for version, run in runs.items()
        }
        return show(client, experiment, folder, run_ids, own=False)
    except MlflowException as error:
        raise RegistryError(
            f"MLflow at {without_password(uri)} (from {URI}) did not take the detectors: {told(error, uri)}; "
            f"they are safe under {folder / layout.PROMOTED}. Start that server or correct the variable, then promote "
            "again: nothing is trained twice"
        ) from None


def show(
    client: MlflowClient, experiment: str, folder: Path, run_ids: Mapping[int, str], *, own: bool = True
) -> dict[int, str]:
    """Make the registry hold every promoted version of a workspace, and set the aliases; what is there already stays.

    run_ids: promoted version -> its run. own: whether it is the workspace's own MLflow; elsewhere nothing is deleted.
    Returns promoted version -> version in the registry.
    """
    facts = all_facts(folder)
    if not facts:
        return {}
    name = facts[max(facts)]["name"]
    _create_name(client, name, facts[max(facts)]["study"])
    known = {version.tags.get(KEY): version for version in registered(client, name)}
    shown = {}
    for version, said in facts.items():
        source = folder / layout.promoted_folder(version)
        found = known.get(_key(source))
        if found is None or found.run_id != run_ids[version] or not _has_files(client, found):
            if found is not None and own:
                client.delete_model_version(name, found.version)
            found = _add(client, experiment, source, said | {"name": name}, run_ids[version])
        shown[version] = str(found.version)
    present = {alias: str(version) for alias, version in client.get_registered_model(name).aliases.items()}
    wanted = {alias: shown[version] for alias, version in aliases(folder).items()}
    former = present.get(CHAMPION)
    if not own and former is not None:
        kept = present.get(PREVIOUS) if former == wanted[CHAMPION] else former
        wanted |= {PREVIOUS: kept} if kept is not None else {}
    for alias in (CHAMPION, PREVIOUS):
        if alias in wanted and present.get(alias) != wanted[alias]:
            client.set_registered_model_alias(name, alias, wanted[alias])
        elif own and alias in present and alias not in wanted:
            client.delete_registered_model_alias(name, alias)
    return shown


def forget_others(client: MlflowClient, experiment: str, folder: Path, name: str, shown: Mapping[int, str]) -> None:
    """Delete what was registered in a workspace's own MLflow for folders that are gone; other models stay."""
    kept = set()
    for version in registered(client, name):
        if str(version.version) in shown.values():
            kept.add(_model_of(version))
        elif KEY in version.tags:
            client.delete_model_version(name, version.version)
    for model in client.search_logged_models([experiment]):
        if model.model_id not in kept and model.model_type == MODEL_TYPE:
            client.delete_logged_model(model.model_id)
            shutil.rmtree(folder / layout.MLFLOW_FILES / "models" / model.model_id, ignore_errors=True)


def registered(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All versions of a registered model, ascending; [] without one."""
    found: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        found += page
        token = page.token
        if not token:
            return sorted(found, key=lambda version: int(version.version))


def download(model: str, uri: str, target: Path) -> Path:
    """The detector folder of `models:/NAME@ALIAS` or `models:/NAME/VERSION`, copied below `target`.

    Errors: RegistryError.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    client = client_of(uri)
    name, at, alias = model.removeprefix("models:/").partition("@")
    name, _, number = (name, "", "") if at else name.partition("/")
    try:
        found = client.get_model_version_by_alias(name, alias) if at else client.get_model_version(name, number)
        files = f"{client.get_logged_model(_model_of(found)).artifact_location}/artifacts/detector"
        return Path(mlflow.artifacts.download_artifacts(files, dst_path=str(target), tracking_uri=uri))
    except (MlflowException, OSError) as error:
        raise RegistryError(
            f"{model} cannot be had from MLflow at {without_password(uri)}: {told(error, uri)}"
        ) from None


def uri_for(folder: Path) -> str:
    """Where `models:/...` is looked up: MLFLOW_TRACKING_URI, or the workspace `folder`. Errors: RegistryError."""
    if uri := os.environ.get(URI):
        return uri
    if (folder / layout.MLFLOW).is_file():
        return database_uri(folder.resolve())
    raise RegistryError(
        f"which MLflow? Set {URI}, such as sqlite:////home/me/study/{layout.MLFLOW}, or run in a workspace"
    )


def without_password(uri: str) -> str:
    """Remove user and password from an address, also where it is malformed or the password has a slash in it."""
    scheme, mark, rest = uri.partition("://")
    if not mark or rest.startswith("/"):  # a file
        return uri
    end = re.search(r"[/?#]|$", rest)
    assert end
    place, behind = rest[: end.start()], rest[end.start() :]
    if "@" in place:
        return f"{scheme}://{place.rpartition('@')[2]}{behind}"
    return f"{scheme}://{rest.rpartition('@')[2]}"


def told(error: Exception, uri: str) -> str:
    """The first line of an error, without user and password."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].replace(uri, without_password(uri))


def _claim(client: MlflowClient, name: str, study: str, folder: Path, uri: str) -> None:
    """Make a registered model this workspace's own, unless it is another's already. Errors: RegistryError.

    One without the tag is another's when it has versions that metricloop wrote, and none of them is of this workspace.
    """
    present = next(iter(client.search_registered_models(f"name = '{name}'")), None)
    mine = workspace_id(folder)
    if present is None:
        theirs = False
        _create_name(client, name, study)
    elif OWNER in present.tags:
        theirs = present.tags[OWNER] != mine
    else:
        here = {_key(folder / layout.promoted_folder(version)) for version in all_facts(folder)}
        written = {version.tags[KEY] for version in registered(client, name) if KEY in version.tags}
        theirs = bool(written) and not written & here
    if theirs:
        raise RegistryError(
            f"the registered model {name} in MLflow at {without_password(uri)} (from {URI}) belongs to another "
            f"workspace, so nothing was registered there; the detectors are safe under {folder / layout.PROMOTED} and "
            f"in the workspace's own MLflow. Give this study a name that is free there: change study.name in "
            f"{folder / layout.PARAMS}, run the study and promote again. If that model is this study's own, set its "
            f"tag {OWNER} to {mine}"
        )
    if present is None or OWNER not in present.tags:
        client.set_registered_model_tag(name, OWNER, mine)


def workspace_id(folder: Path) -> str:
    """What tells a workspace from others, also after it was moved: its first commit, or its place if it has none."""
    if (folder / ".git").exists():
        command = ["git", "rev-list", "--max-parents=0", "HEAD"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.split()[-1]
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:40]


def _create_name(client: MlflowClient, name: str, study: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(
            name, {"study": study}, f"Detectors of the study {study}, promoted by metricloop. Use {name}@{CHAMPION}."
        )


def _add(client: MlflowClient, experiment: str, source: Path, facts: dict[str, Any], run_id: str) -> ModelVersion:
    """Log the model of a detector folder and register it. The key comes last, with the version itself."""
    from mlflow.entities import LoggedModelOutput

    tags = stamps(facts)
    model = client.create_logged_model(
        experiment, f"{facts['name']}-{facts['version']}", run_id, tags, model_type=MODEL_TYPE
    )
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    with tempfile.TemporaryDirectory() as scratch:
        named = shutil.copytree(source, Path(scratch, "detector"))
        _save(Path(scratch, "model"), named, run_id, model)
        client.log_model_artifacts(model.model_id, str(Path(scratch, "model")))
    client.finalize_logged_model(model.model_id, "READY")
    with _set_for_the_process(client.tracking_uri):
        return client.create_model_version(
            facts["name"], f"models:/{model.model_id}", run_id, short_stamps(facts) | {KEY: _key(source)},
            description=in_words(facts), model_id=model.model_id,
        )  # fmt: skip


@contextmanager
def _set_for_the_process(uri: str) -> Iterator[None]:
    """Meanwhile this is the MLflow of the whole process, in which a registry in a database looks up logged models."""
    import mlflow

    before = os.environ.get(URI)
    mlflow.set_tracking_uri(uri)  # sets the variable, too
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        if before is not None:
            os.environ[URI] = before


def _save(target: Path, source: Path, run_id: str, model: Any) -> None:
    """Write the folder `detector` as a model of MLflow: its code, signature, input example and requirements."""
    from importlib.metadata import version

    import pandas as pd
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema

    signature = ModelSignature(
        Schema([ColSpec(DataType.string, "image")]),
        Schema(
            [
                ColSpec(Array(Array(DataType.double)), "boxes"),
                ColSpec(Array(DataType.double), "scores"),
                ColSpec(Array(DataType.string), "labels"),
            ]
        ),
        ParamSchema([ParamSpec("score", DataType.double, usual_score(read_facts(source)))]),
    )
    pyfunc.save_model(
        str(target),
        python_model=str(CODE),
        artifacts={source.name: str(source)},
        signature=signature,
        input_example=pd.DataFrame({"image": [_example()]}),
        pip_requirements=[f"{name}=={version(name)}" for name in ("metricloop", "mlflow", "torch", "torchvision")],
        mlflow_model=Model(
            artifact_path=model.artifact_location, model_uuid=model.model_id, run_id=run_id, model_id=model.model_id
        ),
    )


def _example() -> str:
    """A small picture as base64 text: no picture of the study, because they may be private."""
    import cv2
    import numpy as np

    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))
    done, data = cv2.imencode(".png", np.dstack([ramp, ramp.T, 255 - ramp]))
    assert done
    return base64.b64encode(data.tobytes()).decode()


def _has_files(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether the files of a registered version are there: people delete mlruns/, too."""
    return bool(client.list_logged_model_artifacts(_model_of(version)))


def _model_of(version: ModelVersion) -> str:
    """The id of the logged model behind a registered version; not every store fills in `model_id`."""
    return version.model_id or str(version.source).removeprefix("models:/")


def _key(source: Path) -> str:
    """The hash of a detector.json, which names the subset, recipe and seeds of its weights."""
    return hashlib.sha256((source / FACTS).read_bytes()).hexdigest()[:32]
