"""A bundle: what is in it, and that its server works where metricloop and torch are not installed."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.metadata import distributions, version
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from detector_fixture import facts, make_detector, picture
from dockerfile import faults
from lively import liven
from packaging.requirements import Requirement
from without_metricloop import isolated, run

from metricloop.cli.main import main
from metricloop.delivery import bundle_code, onnx_detector, torch_detector
from metricloop.delivery.agreement import agreement
from metricloop.delivery.bundle import BundleError, make_bundle
from metricloop.delivery.bundle_card import data, numbers
from metricloop.delivery.bundle_code import PACKAGE, check_imports, imports, modules_needed
from metricloop.delivery.bundle_pictures import pictures_for_check
from metricloop.delivery.bundle_requirements import pinned
from metricloop.delivery.bundle_server import Served, serving
from metricloop.delivery.bundle_texts import image_name
from metricloop.delivery.detector_folder import DetectorFolderError, read_facts
from metricloop.detector.detectors import build_detector
from metricloop.serving.limits import Limits

PICTURES = [picture(60, 90, seed=1), picture(90, 60, seed=2), picture(64, 64, seed=3)]
FILES = {"README.md", "MODEL_CARD.md", "Dockerfile", ".dockerignore", "requirements.txt", "model", PACKAGE}

UNFILLED = r"{{|{%|not recorded|\bNone\b(?!, {)"  # the README's program runs a session with None


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Path:
    """The folder of a promoted detector with random weights."""
    measured = {"images": 144, "mAP": 0.3, "mAP50": 0.6, "mAR": 0.5}
    folder = make_detector(
        tmp_path_factory.mktemp("promoted") / "1", recipe={"fields": {"iterations": 7}}, search=measured
    )
    model = build_detector("fcos_shufflenet", 2, facts()["image_size"], "none", 0)
    torch.save(liven(model).state_dict(), folder / "weights.pt")
    return folder


@pytest.fixture(scope="module")
def bundle(detector, tmp_path_factory) -> Path:
    """Written by a person whose files nobody else may read."""
    place, before = tmp_path_factory.mktemp("bundles"), os.umask(0o077)
    try:
        return make_bundle(detector, place / "pandas", PICTURES).folder
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def server(bundle):
    with serving(bundle, isolated()) as address:
        yield address


def test_what_is_in_it(bundle):
    assert {path.name for path in bundle.iterdir()} == FILES
    assert {path.name for path in (bundle / "model").iterdir()} == {"detector.json", "weights.pt", "model.onnx"}


def test_the_containers_user_can_read_all_of_it(bundle):
    for path in (bundle, *bundle.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_the_facts_are_those_of_the_detector_and_name_its_files(detector, bundle):
    told = read_facts(bundle / "model")
    assert told.items() >= read_facts(detector).items()
    assert set(told["files"]) == {"model.onnx", "weights.pt"}
    assert told["onnx"]["pictures"] == 3
    assert told["onnx"]["difference"] < 1e-4


def test_its_server_finds_what_the_detector_finds(server, detector):
    """Over HTTP, without metricloop and torch."""
    own = torch_detector.load(detector, "cpu")
    found = agreement(own, Served(server, own.facts), PICTURES)
    assert found.detections > 100
    assert found.without == 0
    assert found.difference < 1e-3  # the answer rounds


def test_its_server_says_what_it_is(server, bundle):
    told = httpx.get(f"{server}/metadata").json()
    facts = json.loads((bundle / "model/detector.json").read_text())
    assert told.pop("limits").keys() == Limits.model_fields.keys()
    assert told == facts | {"default_score": 0.05}  # best_score
    assert "<html" in httpx.get(server).text
    refused = httpx.post(f"{server}/predict", files={"files": b"no picture"})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")


def test_the_health_check_of_the_container(server, bundle):
    port = server.rpartition(":")[2]
    assert run(bundle, "--check", PORT=port).returncode == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, and nobody listens
        done = run(bundle, "--check", "--port", str(free.getsockname()[1]))
    assert done.returncode == 1
    assert done.stderr.startswith("not ready: ")


def test_a_taken_port_and_a_wrong_setting_are_told_in_one_line(server, bundle):
    port = server.rpartition(":")[2]
    for done, said in [
        (run(bundle, "--port", port), f"{PACKAGE}: port {port} of 127.0.0.1 is taken; choose another with --port"),
        (run(bundle, METRICLOOP_SERVE_PIXEL="9"), f"{PACKAGE}: unknown limit METRICLOOP_SERVE_PIXEL; did you mean"),
    ]:
        assert done.returncode == 1
        assert done.stderr.startswith(said)
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda model: (model / "model.onnx").write_bytes(b"x"), "model.onnx is not the file that detector.json names"),
        (lambda model: (model / "model.onnx").unlink(), "no usable detector in"),
        (lambda model: (model / "detector.json").write_text("{"), "no usable detector in"),
    ],
)
def test_a_damaged_bundle_says_so(bundle, tmp_path, damage, said):
    shutil.copytree(bundle, tmp_path / "copy")
    damage(tmp_path / "copy" / "model")
    done = run(tmp_path / "copy")
    assert done.returncode == 1
    assert said in done.stderr
    assert "copy the bundle again" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_file_of_the_server_imports_metricloop(bundle):
    names = {name for file in (bundle / PACKAGE).rglob("*.py") for name in imports(file.read_text())}
    assert len(names) > 20
    assert not [name for name in names if name.partition(".")[0] == "metricloop"]
    assert (
        check_imports(bundle / PACKAGE) == check_imports(bundle / PACKAGE) >= {"numpy", "cv2", "onnxruntime", "fastapi"}
    )


def test_an_import_that_was_overlooked_is_found(bundle, tmp_path):
    shutil.copytree(bundle / PACKAGE, tmp_path / PACKAGE)
    (tmp_path / PACKAGE / "more.py").write_text("def late():\n    import metricloop.data.tables\n")
    with pytest.raises(BundleError, match=r"more\.py still imports metricloop\.data\.tables"):
        check_imports(tmp_path / PACKAGE)


def test_imports_for_type_checking_alone_do_not_count():
    text = "if TYPE_CHECKING:\n    import torch\nelse:\n    import numpy\nfrom a.b import c\n"
    assert sorted(imports(text)) == ["a.b", "a.b.c", "numpy"]


def test_a_package_that_the_code_does_without_counts_if_it_is_installed():
    text = "try:\n    import nonsense\n    import {}\nexcept ImportError:\n    import json\n"
    assert sorted(imports(text.format("numpy"))) == ["json", "numpy"]
    assert sorted(imports(text.format("more_nonsense"))) == ["json"]


def test_only_what_the_server_needs_is_copied():
    rooms = {name.split(".")[1] for name in modules_needed()}
    assert rooms == {"serving", "data", "delivery"}
    assert not {name for name in modules_needed() if "torch" in name or "tables" in name}


def test_the_requirements_are_whole_and_pinned_to_what_is_installed(bundle):
    lines = (bundle / "requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines)
    assert list(pins) == sorted(pins)
    assert pins == {name: version(name) for name in pins}
    assert not {"torch", "torchvision", "metricloop", "mlflow", "opencv-python"} & set(pins)
    installed = {found.name.lower().replace("_", "-"): found for found in distributions()}
    for name in pins:  # whatever a pinned package requires is pinned too
        for line in installed[name].requires or []:
            required = Requirement(line)
            if required.marker is None or required.marker.evaluate({"extra": ""}):
                assert required.name.lower().replace("_", "-") in pins, f"{name} requires {line}"


def test_a_module_that_no_package_provides_is_refused():
    with pytest.raises(BundleError, match=r"no installed package provides the module nonsense; install metricloop\["):
        pinned({"nonsense"})


def test_extras_are_followed():
    assert set(pinned({"httpx"})) >= {"httpx", "httpcore", "h11", "certifi"}


def test_the_dockerfile_has_no_faults(bundle):
    text = (bundle / "Dockerfile").read_text()
    assert faults(text, bundle) == []
    assert f"FROM python:{sys.version_info[0]}.{sys.version_info[1]}-slim-" in text
    hadolint = shutil.which("hadolint")
    if hadolint:
        done = subprocess.run([hadolint, str(bundle / "Dockerfile")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_readme_says_what_is_there(bundle):
    text = (bundle / "README.md").read_text()
    for path in re.findall(r"`((?:model|detector_server)/[\w/.]*)`", text):
        assert (bundle / path).exists(), path
    for variable in re.findall(r"`(METRICLOOP_SERVE_\w+)`", text):
        assert variable.removeprefix("METRICLOOP_SERVE_").lower() in Limits.model_fields
    assert "http://127.0.0.1:8000/predict?score=0.05&max=20" in text  # best_score of the facts
    assert not re.search(UNFILLED, text)


def test_the_readmes_program_for_onnxruntime_runs(bundle):
    blocks = re.findall(r"```python\n(.*?)```", (bundle / "README.md").read_text(), re.DOTALL)
    [program] = [block for block in blocks if "InferenceSession" in block]
    ask = "\nprint(boxes.shape, scores.shape, labels.shape)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program + ask], cwd=bundle, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(1, 100, 4) (1, 100) (1, 100)"


def test_the_card_says_where_the_numbers_are_from(bundle):
    text = (bundle / "MODEL_CARD.md").read_text()
    assert "| this detector, on the search split | 144 | 0.300 | 0.600 | 0.500 |" in text
    assert "The sealed test split was not opened for this arm" in text
    assert "Verdict of the study on the arm `object_count`: **better**." in text
    assert "9 images with 20 labelled boxes, 25 % of the pool's images" in text
    assert "`best` (direction higher)" in text
    assert "Promoted against" not in text + (bundle / "README.md").read_text()
    assert "- ranked by the metric `object_count`\n" in text
    assert "ranked by the metric `object_count`, combined with `spread`" in data(facts(second_metric="spread"))
    assert not re.search(UNFILLED, text)


TEST = {"images": 192, "trials": 6, "mAP": 0.359, "mAP50": 0.71, "mAR": 0.53,
        "gain": {"mAP": {"abs": 0.052, "rel": 0.167, "ci95": [0.037, 0.066]}}}  # fmt: skip


def test_what_was_promoted_against_its_verdict_is_stamped(tmp_path):
    from metricloop.delivery import bundle_texts
    from metricloop.delivery.agreement import Agreement

    told = facts(anyway=True, verdict="undecided", test=TEST)
    bundle_texts.write_texts(tmp_path, told, Agreement(3, 9, 1e-6, 0), {"numpy": "2"}, "3.11")
    for name in ("README.md", "MODEL_CARD.md"):
        text = (tmp_path / name).read_text()
        assert '> **Promoted against its verdict. The study\'s verdict on the arm object_count is "undecided"' in text
        assert "| 6 trials of its arm, on the sealed test split | 192 | 0.359 | 0.710 | 0.530 |" in text
        assert "+0.052 mAP (+17\u00a0%), 95 % interval +0.037 to +0.066" in text
        assert "this detector was not tried there" in text
        assert "larger subset" not in text


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.5, "It was trained on a larger subset than those trials: on 50 % of the pool's images, not 25 %. "),
        (0.1, "It was trained on a smaller subset than those trials: on 10 % of the pool's images, not 25 %. "),
    ],
)
def test_a_detector_with_a_subset_of_another_size_says_so(share, said):
    text = numbers(facts(test=TEST | {"share": 0.25}, subset={"file": "subset.parquet", "share": share}))
    assert text.endswith(f"{said}The verdict and the gain are of their size, not of its own.")
    text = numbers(facts(test=TEST | {"share": 0.25, "gain": None}, subset={"file": "subset.parquet", "share": share}))
    assert text.endswith(f"{said}The verdict is of their size, not of its own.")


@pytest.mark.parametrize("file", ["subset.parquet", "subsets/object_count.parquet"])
def test_a_detector_with_a_subset_of_the_same_size_says_nothing_of_it(file):
    text = numbers(facts(test=TEST | {"share": 0.25}, subset={"file": file, "share": 0.25}))
    assert text.endswith("this detector was not tried there.")


def test_a_detector_with_a_share_of_its_own_and_no_test_says_whose_the_verdict_is():
    said = "It was promoted with a share of its own, 50 % of the pool's images; the verdict is of the study's budget."
    assert said in numbers(facts(subset={"file": "subset.parquet", "share": 0.5}))
    assert "budget" not in numbers(facts())


@pytest.mark.parametrize(("name", "image"), [("Lions (2)", "lions-2"), ("panda", "panda"), ("熊猫", "detector")])
def test_the_name_of_the_image(name, image):
    assert image_name(name) == image


def test_a_folder_that_holds_something_is_refused(detector, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="is not empty; give a new folder, or remove it first"):
        make_bundle(detector, tmp_path, PICTURES)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_nothing_is_left_when_it_fails(detector, tmp_path):
    shutil.copytree(detector, tmp_path / "broken")
    (tmp_path / "broken" / "weights.pt").write_bytes(b"")
    with pytest.raises(DetectorFolderError, match="weights"):
        make_bundle(tmp_path / "broken", tmp_path / "out" / "bundle", PICTURES)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_graph_that_finds_something_else_is_refused(detector, bundle, tmp_path, monkeypatch):
    """As if the exporter had made a mistake: the scores are 0.002 off."""
    real = onnx_detector.OnnxDetector.detect

    def shifted(self, pictures):
        return [
            type(found)(found.boxes, found.scores - np.float32(0.002), found.labels) for found in real(self, pictures)
        ]

    monkeypatch.setattr(onnx_detector.OnnxDetector, "detect", shifted)
    monkeypatch.setattr(
        "metricloop.delivery.onnx_export.export",
        lambda model, path, **_: shutil.copyfile(bundle / "model/model.onnx", path),
    )
    with pytest.raises(BundleError, match="the ONNX graph does not find what torch finds"):
        make_bundle(detector, tmp_path / "bundle", PICTURES)
    assert not (tmp_path / "bundle").exists()


def test_without_a_study_the_pictures_are_drawn(tmp_path):
    pictures = pictures_for_check(tmp_path)
    assert len(pictures) == 16
    assert all(one.dtype == np.uint8 and max(one.shape) == 320 for one in pictures)


def test_the_command_refuses_before_it_works(tmp_path, capsys):
    assert main(["bundle", str(tmp_path / "new"), str(tmp_path)]) == 1
    assert "give the folder of a promoted detector, or a workspace with one" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_command_looks_in_the_workspace(tmp_path, monkeypatch, capsys):
    """For MLflow's database, and for relative paths, as `metricloop serve` does."""
    asked = []

    def download(model, uri, _):
        asked.append((model, uri))
        raise DetectorFolderError("seen")

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("metricloop.tracking.registry.download", download)
    (tmp_path / "mlflow.db").touch()
    monkeypatch.chdir(tmp_path.parent)
    assert main(["bundle", str(tmp_path / "new"), "models:/demo@champion", "-C", str(tmp_path)]) == 1
    assert asked == [("models:/demo@champion", f"sqlite:///{tmp_path}/mlflow.db")]
    (tmp_path / "other").mkdir()
    assert main(["bundle", str(tmp_path / "new"), "other", "-C", str(tmp_path)]) == 1
    assert f"{tmp_path}/other is no detector folder" in capsys.readouterr().err


def test_the_code_can_be_read(bundle):
    for file in (bundle / PACKAGE).rglob("*.py"):
        assert ast.get_docstring(ast.parse(file.read_text())), file
    assert bundle_code.HOME.name == "metricloop"
