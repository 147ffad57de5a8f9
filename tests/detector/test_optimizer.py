"""Our AdamW on a CPU against torch's."""

import torch

from metricloop.detector.optimizer import BETAS, EPSILON, WEIGHT_DECAY, FusedAdamW

SHAPES = [(4, 3, 3, 3), (4,), (2, 4)]


def weights():
    drawn = torch.Generator().manual_seed(0)
    made = [torch.randn(shape, generator=drawn) for shape in SHAPES]
    made[0] = made[0].to(memory_format=torch.channels_last)
    return [torch.nn.Parameter(weight) for weight in made]


def steps(own, optimizer, begin, end):
    """Steps with gradients that follow from the step's number; the second weight has none in every third step."""
    for step in range(begin, end):
        drawn = torch.Generator().manual_seed(step)
        for k, weight in enumerate(own):
            gradient = torch.randn(weight.shape, generator=drawn)
            weight.grad = None if k == 1 and step % 3 == 0 else gradient
        optimizer.param_groups[0]["lr"] = 0.01 / (step + 1)
        optimizer.step()


def test_it_is_torchs_bit_by_bit():
    ours, theirs = weights(), weights()
    steps(ours, FusedAdamW(ours, 0.01), 0, 8)
    steps(
        theirs,
        torch.optim.AdamW(theirs, 0.01, betas=BETAS, eps=EPSILON, weight_decay=WEIGHT_DECAY, fused=True),
        0,
        8,
    )
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(ours[0], weights()[0])


def test_it_goes_on_from_a_saved_state():
    whole, parted = weights(), weights()
    steps(whole, FusedAdamW(whole, 0.01), 0, 6)
    first, second = FusedAdamW(parted, 0.01), FusedAdamW(parted, 0.01)
    steps(parted, first, 0, 3)
    second.load_state_dict(first.state_dict())
    steps(parted, second, 3, 6)
    for a, b in zip(whole, parted, strict=True):
        assert torch.equal(a, b)


def test_without_any_gradient_nothing_changes():
    own = weights()
    FusedAdamW(own, 0.01).step()
    for a, b in zip(own, weights(), strict=True):
        assert torch.equal(a, b)
