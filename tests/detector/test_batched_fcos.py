"""Our FCOS gives torchvision's losses, gradients and detections; a pretrained stem does not learn."""

import numpy as np
import pytest
import torch
from torchvision.models import shufflenet_v2_x0_5
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead

from metricloop.detector import engine
from metricloop.detector.architectures.fcos_shufflenet import FROZEN, ShuffleNetPyramid
from metricloop.detector.augment import build_augment
from metricloop.detector.batched_fcos import BACKGROUND, assign
from metricloop.detector.detectors import Normalise, build_detector
from metricloop.detector.engine import Sample, Schedule, fit

SIZE = 96
CPU = torch.device("cpu")
# several sizes, an overlap, one box in another, one too small for any point, none
BOXES = (
    [[4.0, 4, 40, 44], [20, 10, 90, 92], [50, 50, 56, 58]],
    [],
    [[0.0, 0, 96, 96], [30, 30, 66, 70]],
    [[1.0, 1, 2, 2]],
)


def reference(ours, classes=3):
    """The same network as torchvision builds it, with the weights of `ours`."""
    anchors = AnchorGenerator(sizes=((8,), (16,), (32,)), aspect_ratios=((1.0,),) * 3)
    model = FCOS(
        ShuffleNetPyramid(), classes, anchor_generator=anchors, head=FCOSHead(64, 1, classes, num_convs=2),
        detections_per_img=100,
    )  # fmt: skip
    model.load_state_dict(ours.state_dict())
    model.transform = Normalise()
    return model.to(memory_format=torch.channels_last)


def a_batch(boxes=BOXES):
    rng = np.random.default_rng(0)
    images = [torch.from_numpy(rng.integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8)) for _ in boxes]
    targets = [
        {"boxes": torch.tensor(own).reshape(-1, 4), "labels": torch.arange(len(own)) % 2 + 1} for own in boxes
    ]  # fmt: skip
    return images, targets


@pytest.mark.parametrize("boxes", [BOXES, ([], [])])
def test_losses_and_gradients_are_torchvisions(boxes):
    ours = build_detector("fcos_shufflenet", 2, SIZE, "none", 0)
    theirs = reference(ours)
    images, targets = a_batch(boxes)
    for _ in range(2):  # the second time with the anchors of the first
        losses, expected = (model.train()(images, targets) for model in (ours, theirs))
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-5, abs=1e-7), name
    for of_model in (losses, expected):
        sum(of_model.values()).backward()
    for (name, own), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(own.grad, other.grad, rtol=1e-3, atol=1e-5, err_msg=name)


def test_detections_are_torchvisions():
    ours = build_detector("fcos_shufflenet", 2, SIZE, "drawn", 0)
    theirs = reference(ours)
    images, _ = a_batch()
    with torch.inference_mode():
        for model in (ours, theirs):
            model.eval().score_thresh = 0.01
        pairs = list(zip(ours(images), theirs(images), strict=True))
    assert sum(len(found["scores"]) for found, _ in pairs) > 20
    for found, expected in pairs:
        assert torch.equal(found["labels"], expected["labels"])
        np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-5)
        np.testing.assert_allclose(found["boxes"], expected["boxes"], atol=1e-3)


def test_the_smallest_object_around_a_point_counts():
    points = torch.tensor([[-4.0, -4, 4, 4], [4, 4, 12, 12], [12, 12, 20, 20], [-8, -8, 8, 8], [8, 8, 24, 24]])
    # at (0, 0), (8, 8) and (16, 16) with stride 8; at (0, 0) and (16, 16) with stride 16
    boxes = torch.tensor([[[1.0, 1, 15, 15], [4, 4, 12, 12], [-80, -80, 112, 112]], [[0, 0, 0, 0]] * 3])
    # the last box is found by the last level alone: its far sides are 96 and 112 away, more than 4 * 16
    expected = [[BACKGROUND, 1, BACKGROUND, 2, 2], [BACKGROUND] * 5]
    assert assign(boxes, points, [3, 2], 1.5).tolist() == expected


def test_pictures_are_normalised_by_channel():
    picture = torch.tensor([255, 0, 51], dtype=torch.uint8).view(3, 1, 1).expand(3, 2, 4)
    batch, _ = Normalise()([picture, picture])
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]
    assert batch.tensors.shape == (2, 3, 2, 4)
    for channel, value in enumerate(expected):
        np.testing.assert_allclose(batch.tensors[:, channel], value, rtol=1e-5)


@pytest.mark.parametrize(("weights", "learns"), [("none", True), ("drawn", True), ("of_photos.pt", False)])
def test_the_first_layers_do_not_learn_with_weights_from_photos(tmp_path, monkeypatch, weights, learns):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    torch.save(shufflenet_v2_x0_5(weights=None).state_dict(), "of_photos.pt")
    engine.settle(1)
    model = build_detector("fcos_shufflenet", 1, SIZE, weights, 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pictures = np.random.default_rng(0).integers(0, 255, (2, SIZE, SIZE, 3), dtype=np.uint8)
    samples = [Sample(row, np.array([[8, 8, 40, 48]], np.float32), np.zeros(1, np.int64)) for row in range(2)]
    fit(model, samples, pictures, build_augment("none"), Schedule(2, 2, 1e-3), 0, device=CPU)
    early = tuple(f"backbone.{name}." for name in FROZEN)
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    frozen = {name for name in before if name.startswith(early)}
    assert (same & frozen) == (set() if learns else frozen)
    assert frozen > {"backbone.stem.0.1.running_mean", "backbone.stages.0.3.branch2.0.weight"}
    assert not [name for name in same - frozen if name.endswith("weight")]


def test_a_stem_with_fixed_statistics_gives_the_same_features():
    torch.manual_seed(0)
    backbone = ShuffleNetPyramid()
    backbone.freeze(FROZEN)
    backbone.stem[0][1].running_mean.uniform_(-1, 1)
    backbone.stem[0][1].running_var.uniform_(0.5, 2)
    batch = torch.randn(2, 3, SIZE, SIZE)
    np.testing.assert_allclose(backbone._stem(batch).detach(), backbone.stem(batch).detach(), atol=1e-5)


def test_the_stages_are_torchvisions():
    torch.manual_seed(0)
    plain = shufflenet_v2_x0_5(weights=None)
    backbone = ShuffleNetPyramid()
    backbone.load_backbone(plain.state_dict())
    x = y = torch.randn(2, 24, 24, 24)
    for own, other in zip(backbone.stages, (plain.stage2, plain.stage3, plain.stage4), strict=True):
        x, y = own(x.contiguous(memory_format=torch.channels_last)), other(y)
        assert x.is_contiguous(memory_format=torch.channels_last)
        np.testing.assert_allclose(x.detach(), y.detach(), atol=1e-4)


def test_an_untrained_head_predicts_boxes_with_every_seed():
    """Distances pass a ReLU: where all are zero, they get no gradient and the detector never learns."""
    images = [torch.randint(0, 255, (3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))]
    for seed in range(8):
        model = build_detector("fcos_shufflenet", 2, 64, "none", seed).eval()
        batch, _ = model.transform(images)
        with torch.inference_mode():
            distances = model.head(list(model.backbone(batch.tensors).values()))["bbox_regression"]
        assert (distances > 0).float().mean() > 0.99
