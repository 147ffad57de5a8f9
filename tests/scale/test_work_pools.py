"""Studies on a pool of two workers with a folder each; Prefect's records in Postgres, all else lies in S3."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from servers import Gate, kill_machine, mlflow, postgres, prefect, prefect_server, s3, worker
from stored import sh
from tiny_study import ARMS, CHANGES, metricloop

from metricloop.drawing.scenes import draw_scenes

pytestmark = pytest.mark.scale
TABLES = ("comparison.json", "confirmation.json", "metrics.json", "finalists.json")
STUDY, PICTURES = "s3://studies/tiny", "s3://pictures/pandas"
LONG = "train.iterations=20000"
SETTINGS = [change for change in CHANGES if not change.startswith("scenes.")]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory) -> Iterator[tuple[Gate, dict[str, str]]]:
    """An S3 server with pictures in a bucket, and the environment of those who know it."""
    folder = tmp_path_factory.mktemp("cloud")
    with s3(folder, "pictures", "studies", "runs") as (gate, variables):
        import boto3

        draw_scenes(folder / "pandas", 36, 0, 64)
        client = boto3.client(
            "s3", endpoint_url=variables["AWS_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip
        for path in (folder / "pandas").rglob("*.*"):
            client.upload_file(str(path), "pictures", f"pandas/{path.relative_to(folder / 'pandas')}")
        yield gate, os.environ | variables


def begin(folder: Path, environment: dict[str, str], *more: str, changes: tuple[str, ...] = ()) -> Path:
    """`metricloop init` for the pictures in the bucket, cut down to two arms."""
    folder.parent.mkdir()
    command = ["init", "tiny", "--data", PICTURES, "--weights", "none", *more, "--set", *SETTINGS, *changes]
    done = metricloop(*command, env=environment, cwd=folder.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "arms.yaml").write_text(ARMS)
    sh(folder, "git", "commit", "-qam", "two arms")
    return folder


@pytest.fixture(scope="module")
def local(tmp_path_factory, cloud) -> Path:
    """The same study on this machine alone."""
    folder = begin(tmp_path_factory.mktemp("alone") / "here/tiny", cloud[1])
    done = metricloop("run", "-C", str(folder), env=cloud[1], timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def wait_until(true: Callable[[], object], seconds: float = 900.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.2)


def trainings(folder: Path) -> dict[int, str]:
    """The processes that train a model in a workspace below a folder: id -> workspace."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            place = os.readlink(entry / "cwd")
            if b"metricloop.tasks.train" in (entry / "cmdline").read_bytes() and place.startswith(str(folder)):
                found[int(entry.name)] = place
        except OSError:
            continue
    return found


def made_by_stages(folder: Path) -> dict[str, list]:
    """The sums of all outputs. Inputs may differ: DVC notes in results/.gitignore which trial ended first."""
    return {
        name: stage.get("outs") for name, stage in yaml.safe_load((folder / "dvc.lock").read_text())["stages"].items()
    }


def test_a_study_that_is_elsewhere_altogether_goes_on_after_faults(local, cloud, tmp_path):
    """Three commands from an empty folder. A worker is killed, Postgres and the S3 server are restarted meanwhile."""
    gate, environment = cloud
    with ExitStack() as stack:
        database = stack.enter_context(postgres())
        server = stack.enter_context(mlflow(tmp_path, database.database("mlflow"), "runs", environment))
        clients = stack.enter_context(prefect_server(tmp_path, database.database("prefect")))
        environment = environment | clients | {"MLFLOW_TRACKING_URI": server}
        prefect(environment, "work-pool", "create", "cluster", "--type", "process")
        first = stack.enter_context(worker(tmp_path, environment, "cluster", "first"))

        made = begin(tmp_path / "empty/tiny", environment, "--remote", STUDY)
        assert metricloop("push", "-C", str(made), env=environment).returncode == 0  # the two arms, for the test
        deployed = metricloop("deploy", "--all", "--pool", "cluster", env=environment)
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        run = ["deployment", "run", "improve/cluster", "--param", f"workspace={STUDY}"]
        prefect(environment, *run)

        wait_until(lambda: trainings(tmp_path / "first"))
        kill_machine(first)
        wait_until(lambda: not trainings(tmp_path / "first"), 60)  # trainings end with their flow
        stack.enter_context(worker(tmp_path, environment, "cluster", "second"))
        watch = subprocess.Popen(
            [str(Path(sys.executable).parent / "prefect"), "--no-prompt", *run, "--watch"],
            env=environment, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        wait_until(lambda: trainings(tmp_path / "second"))
        gate.close()
        database.stop()
        database.start()
        time.sleep(2)
        gate.open()
        said = watch.communicate(timeout=1500)[0]
        log = (tmp_path / "second.log").read_text()
        assert watch.returncode == 0, said + log[-5000:]
        assert f"{STUDY}: fetched to" in log

        copy = tmp_path / "copy"
        for command in (["git", "clone", "-q", STUDY, str(copy)], ["dvc", "--cd", str(copy), "pull", "-q"]):
            subprocess.run(command, env=environment, check=True, capture_output=True)
        for name in TABLES:
            assert (copy / name).read_bytes() == (local / name).read_bytes(), name
        assert made_by_stages(copy) == made_by_stages(local)
        for path in (path for path in (local / "results").rglob("*") if path.suffix in (".json", ".parquet")):
            assert (copy / path.relative_to(local)).read_bytes() == path.read_bytes(), path
        history = sh(copy, "git", "log", "--format=%s").splitlines()
        assert history[:2] == ["study finished", "two arms"]
        caught_up = metricloop("track", "-C", str(copy), env=environment)  # MLflow may have been too slow for the run
        assert "6 unchanged" in caught_up.stdout or "runs made" in caught_up.stdout, caught_up.stdout + caught_up.stderr
        shown = subprocess.run([sys.executable, "-c", RUNS, server], env=environment, capture_output=True, text=True,
                               check=True)  # fmt: skip
        assert shown.stdout.split() == ["6", "mlflow-artifacts", "subset.jpg"]
        tracked = [copy / name for name in sh(copy, "git", "ls-files").splitlines()]
        for path in (*tracked, copy / ".git/config"):
            assert b"hidden-secret" not in path.read_bytes()


RUNS = """
import sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
found = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
arm = next(run for run in found if run.info.run_name == "object_count")
files = [file.path for file in client.list_artifacts(arm.info.run_id)]
print(len(found), arm.info.artifact_uri.partition(":")[0], *files)
"""
RUNNING = """
from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    for run in client.read_flow_runs():
        if run.deployment_id and run.state.is_running():
            print(run.id)
"""


def test_cancelling_ends_the_trainings_and_one_study_never_runs_twice_at_once(cloud, tmp_path):
    with ExitStack() as stack:
        environment = cloud[1] | stack.enter_context(prefect_server(tmp_path))
        prefect(environment, "work-pool", "create", "cluster", "--type", "process")
        for kind in ("docker", "kubernetes"):
            template = Path(__file__).parents[2] / f"deploy/{kind}.json"
            prefect(environment, "work-pool", "create", kind, "--type", kind, "--base-job-template", str(template))
            deployed = metricloop("deploy", "--all", "--pool", kind, env=environment)
            assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        address = "s3://studies/long"
        begin(tmp_path / "empty/tiny", environment, "--remote", address, changes=(LONG,))
        assert metricloop("push", "-C", str(tmp_path / "empty/tiny"), env=environment).returncode == 0
        for options in (["--workspace", address, "--cron", "0 3 * * *"], ["--all"]):
            deployed = metricloop("deploy", *options, "--pool", "cluster", env=environment)
            assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        listed = re.sub(r"\s", "", prefect(environment, "deployment", "ls"))
        for name in ("cluster", "docker", "kubernetes", "long"):
            assert f"improve/{name}" in listed
        assert "0 3 * * *" in prefect(environment, "deployment", "schedule", "ls", "improve/long")
        for name in ("first", "second"):
            stack.enter_context(worker(tmp_path, environment, "cluster", name))
        prefect(environment, "deployment", "run", "improve/long")
        wait_until(lambda: trainings(tmp_path))
        prefect(environment, "deployment", "run", "improve/cluster", "--param", f"workspace={address}")
        logs = [tmp_path / "first.log", tmp_path / "second.log"]
        wait_until(lambda: any("another run of it goes on" in log.read_text() for log in logs))
        assert len(set(trainings(tmp_path).values())) == 1
        running = subprocess.run(
            [sys.executable, "-c", RUNNING], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        assert len(running) == 2
        for run in running:
            prefect(environment, "flow-run", "cancel", run)
        wait_until(lambda: not trainings(tmp_path), 120)
