"""The training loop: repeatable, resumable, strict about non-finite losses, and at ease with empty images."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchvision.models import shufflenet_v2_x0_5

from metricloop.detector import engine
from metricloop.detector.architectures import NAMES
from metricloop.detector.augment import build_augment, choose_backend
from metricloop.detector.detectors import BUILT_IN, CLASS_LAYER, DetectorError, build_detector
from metricloop.detector.engine import NonFiniteLossError, Sample, Schedule, fit, predict

FAST = ("fcos_shufflenet", "ssdlite320_mobilenet_v3_large")  # their tests take a second
SIZE = 64
PIXELS = np.random.default_rng(0).integers(0, 255, (4, SIZE, SIZE, 3), dtype=np.uint8)
SAMPLES = [Sample(row, np.array([[8, 8, 40, 48]], np.float32), np.zeros(1, np.int64)) for row in range(3)] + [
    Sample(3, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
]
CPU = torch.device("cpu")


def train(iterations=4, seed=0, **options):
    engine.settle(1)
    model = build_detector("fcos_shufflenet", 1, SIZE, "none", seed)
    schedule = Schedule(iterations, 2, 1e-3)
    history = fit(model, SAMPLES, PIXELS, build_augment("none"), schedule, seed, device=CPU, **options)
    return model, history


def test_same_seed_same_weights_and_another_seed_other_weights():
    first, second, other = train()[0], train()[0], train(seed=1)[0]
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(
        first.head.classification_head.cls_logits.weight, other.head.classification_head.cls_logits.weight
    )


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path, monkeypatch):
    class StopError(Exception):
        pass

    def stop_at_2(iteration, loss, rate):
        if iteration == 3:
            raise StopError

    clock = iter(range(0, 10_000, 60))  # a minute passes at every look, so that every iteration is saved
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    path = tmp_path / "state.pt"
    with pytest.raises(StopError):
        train(resume=path, progress=stop_at_2)
    assert len(torch.load(path)["history"]["loss"]) == 2
    resumed, history = train(resume=path)
    whole, whole_history = train()
    assert history.loss == whole_history.loss
    for a, b in zip(resumed.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_images_without_boxes_are_legal():
    engine.settle(1)
    model = build_detector("fcos_shufflenet", 1, SIZE, "none", 0)
    history = fit(model, SAMPLES[3:], PIXELS, build_augment("none"), Schedule(2, 2, 1e-3), 0, device=CPU)
    assert np.isfinite(history.loss).all()


def test_a_non_finite_loss_names_the_images():
    bad = [Sample(0, np.array([[8, 8, np.nan, 48]], np.float32), np.zeros(1, np.int64))]
    model = build_detector("fcos_shufflenet", 1, SIZE, "none", 0)
    with pytest.raises(NonFiniteLossError, match=r"lion-0\.jpg"):
        fit(
            model, bad, PIXELS, build_augment("none"), Schedule(2, 2, 1e-3), 0, device=CPU,
            name_of=lambda row: f"lion-{row}.jpg",
        )  # fmt: skip


def test_every_epoch_shows_every_sample_once():
    stream = [k for iteration in range(6) for k in engine._batch(4, 2, seed=3, iteration=iteration)]
    assert [sorted(stream[k : k + 4]) for k in (0, 4, 8)] == [[0, 1, 2, 3]] * 3
    assert len({tuple(stream[k : k + 4]) for k in (0, 4, 8)}) > 1


def test_predictions_come_back_in_original_pixels():
    class Fixed(torch.nn.Module):
        def forward(self, images):
            return [
                {"boxes": torch.tensor([[0.0, 0, 10, 20], [0, 0, 30, 30]]), "scores": torch.tensor([0.2, 0.9]),
                 "labels": torch.tensor([1, 2])} for _ in images
            ]  # fmt: skip

    (found,) = predict(
        Fixed(), [1], PIXELS, np.array([1.0, 0.5, 1, 1]), device=CPU, score_threshold=0.1, max_detections=100
    )
    assert found.scores.tolist() == pytest.approx([0.9, 0.2])
    assert found.labels.tolist() == [1, 0]
    assert found.boxes.tolist() == [[0, 0, 60, 60], [0, 0, 20, 40]]


def test_a_detectors_own_threshold_gives_way_to_ours():
    engine.settle(1)
    model = build_detector(
        "fcos_shufflenet", 1, SIZE, "none", 0
    )  # untrained: every score is near 0.1, below FCOS's 0.2
    (found,) = predict(model, [0], PIXELS, np.ones(4), device=CPU, score_threshold=0.01, max_detections=30)
    assert len(found.scores) == 30
    assert found.scores.max() < 0.2
    assert set(found.labels) == {0}


def test_masked_regions_take_the_mean_colour_and_nothing_else_changes():
    image = PIXELS[0].copy()
    masked = engine._mask(PIXELS[0], np.array([[10.2, 5, 20, 15]], np.float32))
    assert (masked[5:15, 10:20] == PIXELS[0].reshape(-1, 3).mean(axis=0).astype(np.uint8)).all()
    masked[5:15, 10:20] = image[5:15, 10:20]
    assert np.array_equal(masked, PIXELS[0])
    assert np.array_equal(image, PIXELS[0])


@pytest.mark.parametrize("backend", ["albumentations", "torchvision"])
def test_augmentation_is_seeded_and_moves_boxes_with_the_picture(backend):
    augment = build_augment(backend)
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture[16:32, 8:24] = 255  # one white square, which its box must follow
    box, label = np.array([[8, 16, 24, 32]], np.float32), np.zeros(1, np.int64)
    changed = 0
    for seed in range(12):
        image, boxes, labels = augment(picture, box, label, seed)
        again = augment(picture, box, label, seed)
        assert np.array_equal(image, again[0])
        assert np.array_equal(boxes, again[1])
        assert len(boxes) == len(labels)
        if len(boxes):
            ys, xs = np.nonzero(image.max(axis=2) > image.max() * 0.6)
            assert np.abs(boxes[0] - [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).max() <= 2
            changed += not np.array_equal(boxes, box)
    assert changed >= 6
    assert np.array_equal(picture[16:32, 8:24], np.full((16, 16, 3), 255))


def test_auto_takes_torchvision_where_albumentations_is_missing(monkeypatch):
    assert choose_backend("auto") == "albumentations"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose_backend("auto") == "torchvision"
    with pytest.raises(ModuleNotFoundError, match="use auto or torchvision"):
        choose_backend("albumentations")


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_every_detector_trains_a_step_and_predicts(name):
    engine.settle(2)
    model = build_detector(name, 2, SIZE, "none", 0)
    history = fit(model, SAMPLES[:2], PIXELS, build_augment("none"), Schedule(1, 2, 1e-4), 0, device=CPU)
    assert np.isfinite(history.loss).all()
    found = predict(model, [0, 3], PIXELS, np.ones(4), device=CPU, score_threshold=0.0, max_detections=5)
    assert len(found) == 2
    assert all(set(one.labels) <= {0, 1} for one in found)


def test_weights_are_taken_over_whole_or_as_a_bare_backbone_and_unfit_ones_are_refused(tmp_path):
    trained = build_detector("fcos_shufflenet", 3, SIZE, "none", 5)
    torch.save(trained.state_dict(), tmp_path / "detector.pt")
    own = build_detector("fcos_shufflenet", 1, SIZE, str(tmp_path / "detector.pt"), 0).state_dict()
    for name, value in trained.state_dict().items():
        if not name.startswith(CLASS_LAYER):
            assert torch.equal(own[name], value), name
    assert own[f"{CLASS_LAYER}.weight"].shape != trained.state_dict()[f"{CLASS_LAYER}.weight"].shape
    torch.manual_seed(1)
    plain = shufflenet_v2_x0_5(weights=None)
    torch.save(plain.state_dict(), tmp_path / "backbone.pt")
    own = build_detector("fcos_shufflenet", 1, SIZE, str(tmp_path / "backbone.pt"), 0)
    assert torch.equal(own.backbone.stages[1][0].branch1[0].weight, plain.stage3[0].branch1[0].weight)
    torch.save({"conv1.0.weight": torch.zeros(24, 3, 3, 3)}, tmp_path / "other.pt")
    for weights, said in (("other.pt", "not ShuffleNetV2"), ("nowhere.pt", "does not exist")):
        with pytest.raises(DetectorError, match=said):
            build_detector("fcos_shufflenet", 1, SIZE, str(tmp_path / weights), 0)
    with pytest.raises(DetectorError, match="known: fcos_shufflenet"):
        build_detector("yolo", 1, SIZE, "none", 0)
    with pytest.raises(DetectorError, match="made for fcos_shufflenet"):
        build_detector("fcos_resnet50_fpn", 1, SIZE, "drawn", 0)


def test_the_weights_that_ship_fit_and_are_small():
    assert (BUILT_IN / "drawn_animals.pt").stat().st_size < 1_000_000
    drawn, scratch = (build_detector("fcos_shufflenet", 1, SIZE, w, 0).state_dict() for w in ("drawn", "none"))
    same = [name for name in drawn if torch.equal(drawn[name], scratch[name]) and drawn[name].numel() > 256]
    assert all(name.startswith(CLASS_LAYER) for name in same), same
