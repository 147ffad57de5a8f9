"""A bundle's Dockerfile, carried out in an empty virtual environment: the server runs there and finds the same."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from detector_fixture import facts, make_detector, picture
from lively import liven
from without_docker import Image, build

from metricloop.delivery import torch_detector
from metricloop.delivery.agreement import agreement
from metricloop.delivery.bundle import make_bundle
from metricloop.delivery.bundle_server import Served, clean_environment, serving
from metricloop.detector.detectors import build_detector

pytestmark = pytest.mark.slow
PICTURES = [picture(60, 90, seed=1), picture(90, 60, seed=2)]


@pytest.fixture(scope="module")
def root():
    """An empty folder that every user may read, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def pip(image: Image, *typed: str) -> list[str]:
    """The words that pip prints in the image."""
    command = [image.python, "-m", "pip", *typed]
    return subprocess.run(command, cwd=image.root, capture_output=True, text=True, check=True).stdout.split()


def test_the_steps_of_the_dockerfile_give_a_server_that_finds_the_same(root, tmp_path):
    detector = make_detector(tmp_path / "1")
    model = build_detector("fcos_shufflenet", 2, facts()["image_size"], "none", 0)
    torch.save(liven(model).state_dict(), detector / "weights.pt")
    bundle = make_bundle(detector, tmp_path / "bundle", PICTURES)
    image = build(bundle.folder, root)

    installed = {line.partition("==")[0].lower().replace("_", "-") for line in pip(image, "list", "--format=freeze")}
    wanted = {line.partition("==")[0] for line in (bundle.folder / "requirements.txt").read_text().split()}
    assert installed - {"pip", "setuptools"} == wanted  # nothing came along that is not pinned
    assert pip(image, "check") == ["No", "broken", "requirements", "found."]
    assert not (image.folder / "model" / "weights.pt").exists()
    for name in ("metricloop", "torch"):
        with pytest.raises(subprocess.CalledProcessError):
            subprocess.run([image.python, "-c", f"import {name}"], cwd=root, capture_output=True, check=True)

    own = torch_detector.load(detector, "cpu")
    with serving(image.folder, image.start, image.environment, image.user) as address:
        found = agreement(own, Served(address, own.facts), PICTURES)
        port = {"PORT": address.rpartition(":")[2]}
        healthy = subprocess.run(
            image.health, cwd=image.folder, env=clean_environment() | port, user=image.user, check=False
        )
    assert found.detections > 50
    assert found.without == 0
    assert found.difference < 1e-3
    assert healthy.returncode == 0
    if sys.platform == "linux" and image.user:
        assert not any(path.stat().st_uid == image.user for path in image.folder.rglob("*"))  # it wrote nothing
