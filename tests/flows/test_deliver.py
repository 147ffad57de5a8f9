"""The flow `deliver`: promote, register, bundle, and a smoke test of the bundle's server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from detector_fixture import add_promoted, facts, picture
from lively import liven
from study_fixture import make_study

from metricloop.data.tables import read_json
from metricloop.delivery.bundle import make_bundle
from metricloop.delivery.bundle_server import BundleServerError, serving
from metricloop.delivery.check_bundle import BundleCheckError, check_bundle
from metricloop.delivery.choose import ArmRefusedError
from metricloop.delivery.detector_folder import write_detector
from metricloop.detector.detectors import build_detector
from metricloop.flows import deliver as module

PICTURES = [picture(60, 90, seed=1), picture(64, 64, seed=2)]


@pytest.fixture
def steps(monkeypatch) -> list[tuple[str, ...]]:
    """The steps that the flow runs; the one that promotes writes a version, and no other does anything."""
    done: list[tuple[str, ...]] = []

    def step(folder: Path, name: str, *arguments: str) -> None:
        done.append((name.rpartition(".")[2], *arguments))
        if name.endswith(".promote"):
            add_promoted(folder)

    monkeypatch.setattr(module, "step", step)
    monkeypatch.setattr(module, "mlflow_step", step)
    return done


def test_the_steps_in_order(tmp_path, steps):
    folder = make_study(tmp_path)
    module.deliver.fn(str(folder), arm="object_count")
    assert steps == [("promote", "object_count", "--seeds", "3"), ("register",), ("bundle", "promoted/1-bundle"),
                     ("check_bundle", "promoted/1-bundle")]  # fmt: skip


def test_the_bundle_goes_where_it_is_wanted(tmp_path, steps):
    folder = make_study(tmp_path)
    module.deliver.fn(str(folder), target="/somewhere/bundle")
    assert steps[0] == ("promote", "--seeds", "3")
    assert steps[2:] == [("bundle", "/somewhere/bundle"), ("check_bundle", "/somewhere/bundle")]


def test_a_refusal_comes_before_any_step(tmp_path, steps):
    with pytest.raises(ArmRefusedError, match="its verdict is undecided"):
        module.deliver.fn(str(make_study(tmp_path)), arm="tightness")
    assert steps == []


@pytest.mark.slow
def test_deliver_for_real(tiny):
    """On the finished tiny study, as a worker runs it; a second time nothing is made again."""
    code = f"from metricloop.flows.deliver import deliver; deliver({str(tiny)!r}, 'object_count', '', True)"
    environment = os.environ | {
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # on a loaded machine
    }
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    assert "its server answers as torch does" in outputs[0]
    assert "known already" in outputs[1]
    assert "promoted/1-bundle holds this detector already" in outputs[1]
    told, own = (read_json(tiny / "promoted" / name) for name in ("1-bundle/model/detector.json", "1/detector.json"))
    assert told.items() >= own.items()


def lively_detector(folder: Path, seed: int) -> Path:
    """A detector folder with weights that find different things on different pictures."""
    content = facts()
    model = build_detector(content["architecture"], len(content["classes"]), content["image_size"], "none", seed)
    write_detector(folder, content, liven(model, seed).state_dict())
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundled")
    make_bundle(lively_detector(folder / "detector", 0), folder / "bundle", PICTURES)
    return folder / "bundle"


@pytest.mark.slow
def test_a_bundle_that_works_passes(bundle):
    agreed = check_bundle(bundle, PICTURES)
    assert agreed.detections > 5
    assert agreed.difference < 1e-3


@pytest.mark.slow
def test_a_server_that_finds_something_else_is_told(bundle, tmp_path):
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    weights = lively_detector(tmp_path / "detector", 5) / "weights.pt"
    weights.replace(other / "model/weights.pt")
    with pytest.raises(BundleCheckError, match="does not find what torch finds"):
        check_bundle(other, PICTURES)


@pytest.mark.slow
def test_a_server_that_does_not_start_is_told_with_what_it_said(bundle, tmp_path):
    broken = Path(shutil.copytree(bundle, tmp_path / "broken"))
    (broken / "model/model.onnx").unlink()
    with pytest.raises(BundleServerError, match=r"did not start: .*model\.onnx"), serving(broken):
        pass
