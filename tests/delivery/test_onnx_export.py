"""A detector as an ONNX graph: what onnxruntime finds is what torch finds, for every architecture and size of batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from detector_fixture import facts
from lively import liven
from torch import nn

from metricloop.delivery.agreement import agreement
from metricloop.delivery.onnx_detector import OnnxDetector
from metricloop.delivery.onnx_export import OnnxError, export, graph_of
from metricloop.delivery.onnx_nms import kept
from metricloop.delivery.torch_detector import TorchDetector
from metricloop.detector.architectures import NAMES
from metricloop.detector.detectors import build_detector
from metricloop.drawing.scenes import draw_scene

SIZE = {"fcos_shufflenet": 96}
CPU = torch.device("cpu")


def scenes(n: int) -> list[np.ndarray]:
    return [draw_scene(np.random.default_rng([5, k]), 120 + 20 * k, "pandas").image for k in range(n)]


def new_detector(name: str, size: int) -> nn.Module:
    return liven(build_detector(name, 3, size, "none", seed=1))


def on_torch(model: nn.Module, size: int, **changes) -> TorchDetector:
    return TorchDetector(model, facts(image_size=size, classes=["a", "b", "c"], **changes), CPU)


def on_onnx(model: nn.Module, path: Path, size: int, **changes) -> OnnxDetector:
    told = facts(image_size=size, classes=["a", "b", "c"], **changes)
    limits = {name: told[name] for name in ("score_threshold", "max_detections")}
    export(model, path, size=size, **limits)
    detector = OnnxDetector(onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]), told)
    detector.graph = path  # type: ignore[attr-defined]
    return detector


class GraphOnTorch(TorchDetector):
    """A detector whose network is the graph that will be exported, run by torch."""

    def __init__(self, model: nn.Module, told: dict) -> None:
        super().__init__(model, told, CPU)
        graph = graph_of(model, told["image_size"], told["score_threshold"], told["max_detections"])
        self.session = Session(graph)

    def detect(self, pictures):
        return OnnxDetector(self.session, self.facts).detect(pictures)  # type: ignore[arg-type]


class Session:
    """Runs the graph as onnxruntime's session does."""

    def __init__(self, graph: nn.Module) -> None:
        self.graph = graph

    def run(self, names, values):
        with torch.inference_mode():
            return [output.numpy() for output in self.graph(torch.from_numpy(values["pictures"]))]


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[TorchDetector, OnnxDetector]:
    """The study's usual detector on torch and on onnxruntime."""
    model = new_detector("fcos_shufflenet", 96)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    return on_torch(model, 96), on_onnx(model, path, 96)


def test_onnxruntime_finds_what_torch_finds(both):
    found = agreement(*both, scenes(5))
    assert found.detections > 300
    assert found.equal
    assert found.difference < 1e-5


def test_the_order_and_the_kinds_of_numbers_are_those_of_a_detector(both):
    for found in both[1].detect(scenes(2)):
        assert (found.boxes.dtype, found.scores.dtype, found.labels.dtype) == (np.float32, np.float32, np.int64)
        assert (np.diff(found.scores) <= 0).all()
        assert found.scores.min() > both[1].facts["score_threshold"]
        assert set(found.labels) <= {0, 1, 2}


def test_a_picture_is_seen_the_same_alone_and_in_a_batch(both):
    pictures = scenes(17)  # one more than pass through the network together
    for alone, together in zip(map(both[1].detect, ([one] for one in pictures)), both[1].detect(pictures), strict=True):
        assert np.allclose(alone[0].boxes, together.boxes, atol=1e-3)
        assert np.allclose(alone[0].scores, together.scores, atol=1e-5)


def test_the_file_is_whole_and_takes_any_number_of_pictures(both):
    model = onnx.load(both[1].graph)
    onnx.checker.check_model(model)
    [pictures] = model.graph.input
    shape = pictures.type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in shape] == ["n", 96, 96, 3]
    assert {node.op_type for node in model.graph.node} >= {"NonMaxSuppression", "TopK"}


def test_no_pictures_give_no_detections(both):
    assert both[1].detect([]) == []


def test_what_is_no_picture_is_refused(both):
    with pytest.raises(ValueError, match=r"a picture is \(H, W, 3\) uint8, got \(4, 4\)"):
        both[1].detect([np.zeros((4, 4), np.uint8)])


def test_a_picture_without_objects_has_places_with_label_minus_one():
    """No score can reach 0.999: the outputs keep their shape."""
    graph = graph_of(build_detector("fcos_shufflenet", 1, 64, "none", seed=0), 64, 0.999, 7)
    boxes, scores, labels = Session(graph).run(None, {"pictures": np.zeros((3, 64, 64, 3), np.uint8)})
    assert (boxes.shape, scores.shape, labels.shape) == ((3, 7, 4), (3, 7), (3, 7))
    assert (labels == -1).all()
    assert (scores == 0).all()


@pytest.mark.parametrize("limit", [{"max_detections": 5}, {"score_threshold": 0.4}, {"max_detections": 400}])
def test_limits_are_those_of_the_study(limit):
    """The graph itself, run by torch: exporting it changes no number."""
    model = new_detector("fcos_shufflenet", 96)
    found = agreement(on_torch(model, 96, **limit), GraphOnTorch(model, on_torch(model, 96, **limit).facts), scenes(3))
    assert found.detections > 5
    assert found.equal


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_of_every_architecture_finds_what_the_architecture_finds(name):
    """At 128 px, run by torch, without the export."""
    model = new_detector(name, 128)
    first = on_torch(model, 128)
    found = agreement(first, GraphOnTorch(model, first.facts), scenes(3))
    assert found.detections > 20
    assert found.without == 0
    assert found.difference < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "fcos_shufflenet"])
def test_onnxruntime_finds_what_torch_finds_with_every_architecture(name, tmp_path):
    model = new_detector(name, 320)
    found = agreement(on_torch(model, 320), on_onnx(model, tmp_path / "model.onnx", 320), scenes(4))
    assert found.detections > 50
    assert found.equal


def test_the_detector_itself_stays_as_it_is():
    model = new_detector("fcos_shufflenet", 64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pictures = scenes(1)
    found = on_torch(model, 64).detect(pictures)[0]
    graph_of(model, 64, 0.01, 100)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert np.array_equal(on_torch(model, 64).detect(pictures)[0].boxes, found.boxes)


def test_a_detector_of_an_unknown_kind_is_refused():
    class Other(nn.Module):
        pass

    with pytest.raises(OnnxError, match="Other cannot be written as ONNX; the kinds that can: FCOS, RetinaNet, SSD"):
        graph_of(Other(), 64, 0.01, 100)


BOXES = [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 4], [20, 20, 30, 30], [0, 0, 10, 10]]  # IoU with the first: .8, .4


@pytest.mark.parametrize(
    ("scores", "labels", "iou", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.6, 0], [1, 1, 1, 1, 1], 0.5, [True, False, True, True, False]),
        ([0.9, 0.8, 0.7, 0.6, 0], [1, 2, 1, 1, 1], 0.5, [True, True, True, True, False]),  # of another class
        ([0.9, 0.8, 0.7, 0.6, 0], [1, 1, 1, 1, 1], 0.3, [True, False, False, True, False]),
        ([0.1, 0.8, 0.7, 0.6, 0], [0, 0, 0, 0, 0], 0.75, [False, True, True, True, False]),  # the better one counts
        ([0, 0, 0, 0, 0], [1, 1, 1, 1, 1], 0.5, [False] * 5),
    ],
)
def test_suppression_by_hand(scores, labels, iou, expected):
    boxes = torch.tensor([BOXES, BOXES], dtype=torch.float32)
    both_scores = torch.tensor([scores, [0.5, 0, 0, 0, 0]])
    result = kept(boxes, both_scores, torch.tensor([labels, labels]), 3, iou)
    assert result.tolist() == [expected, [True, False, False, False, False]]
