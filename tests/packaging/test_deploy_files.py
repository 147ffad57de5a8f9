"""The files of deploy/: linted, because this project has no Docker to build them with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import prefect
import pytest
import yaml
from dockerfile import faults, is_ignored, read_dockerfile, read_ignored

from metricloop.cli.deploy import of_pool

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OWN = {"metricloop:cpu", "metricloop:cuda", "metricloop:${TORCH:-cpu}"}


def compose() -> dict:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_compose_keeps_to_the_schema_of_compose_files():
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_has_what_it_waits_for_and_all_images_are_pinned():
    told = compose()
    services = told["services"]
    assert set(services) == {"postgres", "s3", "mlflow", "prefect", "worker-1", "worker-2"}
    for name, service in services.items():
        assert re.search(r":(\d|\$)", service["image"]) or service["image"] in OWN, name
        for other, wanted in service.get("depends_on", {}).items():
            assert "healthcheck" in services[other], other
            assert wanted == {"condition": "service_healthy"}
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "nobody outside this machine is let in without being asked"
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in told["volumes"]
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    places = [volume for name in ("worker-1", "worker-2") for volume in services[name]["volumes"]]
    assert len(set(places)) == 2, "a worker has a folder of its own"


def test_no_password_is_in_the_files_and_each_is_asked_for():
    text = (DEPLOY / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    offered = dict(line.split("=") for line in (DEPLOY / "env.example").read_text().splitlines() if line[:1].isupper())
    assert asked == set(offered)
    assert {name for name, value in offered.items() if value} == {"TORCH"}
    assert subprocess.run(["git", "check-ignore", "-q", "deploy/.env"], cwd=ROOT, check=False).returncode == 0


def test_the_commands_of_the_services_can_be_typed():
    """Options of mlflow server and prefect server, as the installed versions know them."""
    services = compose()["services"]
    known = subprocess.run(
        [sys.executable, "-m", "mlflow", "server", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for word in services["mlflow"]["command"][2:]:
        assert word.partition("=")[0] in known
    known = subprocess.run(
        [sys.executable, "-P", "-m", "prefect", "worker", "start", "--help"], capture_output=True, text=True, check=True
    ).stdout
    start = next(step for step in read_dockerfile((DEPLOY / "Dockerfile").read_text()) if step.name == "CMD")
    for word in start.words[3:]:
        assert not word.startswith("--") or word in known


def test_the_dockerfile_has_no_faults():
    text = (DEPLOY / "Dockerfile").read_text()
    assert faults(text, ROOT) == []
    users = [step.words[0] for step in read_dockerfile(text) if step.name == "USER"]
    assert users == ["10001:10001"]


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("demo/mlflow.db", True), (".git/config", True), (".venv/bin/python", True), ("deploy/.env", True),
        ("metrics/generated/round1/a.py", True), ("metricloop/flows/__pycache__/improve.pyc", True),
        ("metricloop/cli/main.py", False), ("flows/improve.py", False), ("constraints.txt", False),
    ],
)  # fmt: skip
def test_what_goes_into_the_image(path, left_out):
    assert is_ignored(path, read_ignored((ROOT / ".dockerignore").read_text())) is left_out


DEFAULTS = Path(prefect.__file__).parent / "server/api/collections_data/views/aggregate-worker-metadata.json"


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_a_base_job_template_is_that_of_prefect_with_our_values(kind):
    ours = json.loads((DEPLOY / f"{kind}.json").read_text())
    theirs = json.loads(DEFAULTS.read_text())[f"prefect-{kind}"][kind]["default_base_job_configuration"]
    own, usual = (found["variables"]["properties"] for found in (ours, theirs))
    assert set(usual) <= set(own)
    assert set(theirs["job_configuration"]) == set(ours["job_configuration"])
    placeholders = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(ours["job_configuration"])))
    assert placeholders == set(own)
    assert own["image"]["default"] in OWN
    deployments = yaml.safe_load(of_pool(kind))["deployments"]
    assert {one["work_pool"]["job_variables"]["image"] for one in deployments} == {own["image"]["default"]}
    assert all(one["pull"] == [] and one["parameters"]["workspace"] == "" for one in deployments)


def test_a_pool_that_has_no_deployments_is_named():
    with pytest.raises(ValueError, match="pools local, cluster, docker, kubernetes, found mine"):
        of_pool("mine")
