"""Training and detecting load no compiler, and who asks for it gets it."""

import subprocess
import sys

TRAIN_AND_DETECT = """
import sys
import numpy as np
import torch
from metricloop.detector.detectors import build_detector
from metricloop.detector.engine import Sample, Schedule, fit, predict, settle

settle(1)
model = build_detector("fcos_shufflenet", 1, 64, "none", 0)
cpu, pictures = torch.device("cpu"), np.zeros((2, 64, 64, 3), np.uint8)
samples = [Sample(0, np.array([[8, 8, 40, 48]], np.float32), np.zeros(1, np.int64))]
fit(model, samples, pictures, lambda *sample: sample[:3], Schedule(1, 1, 0.001), 0, device=cpu)
predict(model, [0, 1], pictures, np.ones(2), device=cpu, score_threshold=0.01, max_detections=9)
assert not [name for name in sys.modules if name.startswith(("torch._dynamo", "torch._inductor"))]
assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
"""
ASK = """
import sys
import metricloop.detector.without_compiler as tried

roi_align = sys.modules["torchvision.ops.roi_align"]
assert "torch._dynamo" not in sys.modules
assert roi_align.is_compile_supported("cpu") in (True, False)
import torch._dynamo.utils
assert roi_align.is_compile_supported("cpu") == torch._dynamo.utils.is_compile_supported("cpu")
"""
LOOK_UP = """
import sys
import metricloop.detector.without_compiler as tried

sys.modules[tried.PACKAGE] = tried._stand_in(tried.PACKAGE)
sys.modules[tried.UTILS] = tried._stand_in(tried.UTILS)
from torch._dynamo.utils import counters  # not there in the stand-in
assert type(counters).__name__ == "defaultdict"
assert not hasattr(sys.modules["torch._dynamo"], "stands_in")
"""


def runs(*programs):
    subprocess.run([sys.executable, "-P", "-c", "\n".join(programs)], check=True)


def test_a_stage_loads_no_compiler():
    runs(TRAIN_AND_DETECT)


def test_the_real_compiler_answers_questions():
    runs(ASK)


def test_a_stand_in_gives_way_to_the_real_module():
    runs(LOOK_UP)
