"""From a fresh workspace to a served bundle: study, promote, bundle, serve, and a drawn photo predicted over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_study import make_tiny, metricloop
from without_metricloop import isolated

from metricloop.delivery import torch_detector
from metricloop.delivery.agreement import agreement
from metricloop.delivery.bundle_server import Served, serving
from metricloop.delivery.promoted import champion
from metricloop.drawing.scenes import draw_scene

pytestmark = pytest.mark.slow
PHOTOS = [draw_scene(np.random.default_rng([99, k]), 200).image for k in range(3)]  # no picture of the study


def ran(*typed: str) -> str:
    """What a command prints; it must succeed."""
    done = metricloop(*typed)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A tiny study of drawn scenes, run to its end."""
    folder = make_tiny(tmp_path_factory.mktemp("delivery") / "tiny")
    ran("run", "-C", str(folder))
    return folder


@pytest.fixture(scope="module")
def promoted(workspace) -> Path:
    """Three iterations prove nothing, so the arm is promoted whatever its verdict."""
    refused = metricloop("promote", "object_count", "-C", str(workspace))
    assert refused.returncode == 1
    assert "--anyway" in refused.stderr
    ran("promote", "object_count", "--anyway", "--seeds", "1", "-C", str(workspace))
    return champion(workspace)


@pytest.fixture(scope="module")
def bundle(workspace, promoted) -> Path:
    target = workspace.parent / "bundle"
    printed = ran("bundle", str(target), "-C", str(workspace))
    assert "onnxruntime finds what torch finds" in printed
    assert "against its verdict" in printed
    return target


def test_a_photo_over_http_gets_what_the_detector_itself_finds(bundle, promoted):
    """The server runs where metricloop and torch cannot be imported."""
    own = torch_detector.load(promoted, "cpu")
    with serving(bundle, isolated()) as address:
        found = agreement(own, Served(address, own.facts), PHOTOS)
    assert found.pictures == 3
    assert found.detections > 30
    assert found.without == 0
    assert found.difference < 1e-3


def test_the_bundle_says_where_it_comes_from(bundle, promoted):
    told, before = (json.loads((place / "detector.json").read_text()) for place in (bundle / "model", promoted))
    assert told.items() >= before.items()
    assert (told["study"], told["arm"], told["anyway"]) == ("tiny", "object_count", True)
    assert told["subset"]["images"] > 0
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "Promoted against its verdict." in card
    assert told["subset"]["md5"] in card
    assert (
        f"| {told['test']['trials']} trials of its arm, on the sealed test split | {told['test']['images']} |" in card
    )
    assert "3 batches, 8 images per batch" in card


def test_a_second_bundle_needs_a_folder_of_its_own(bundle, workspace):
    done = metricloop("bundle", str(bundle), "-C", str(workspace))
    assert done.returncode == 1
    assert "is not empty; give a new folder, or remove it first" in done.stderr
