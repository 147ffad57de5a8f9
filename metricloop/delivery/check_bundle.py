"""A smoke test of a bundle: start its server, send pictures, and hold the answers against the detector on torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metricloop.delivery.agreement import Agreement, agreement
from metricloop.delivery.bundle import MODEL
from metricloop.delivery.bundle_server import Served, serving
from metricloop.delivery.torch_detector import load


class BundleCheckError(RuntimeError):
    """The bundle's server finds other objects than the detector on torch."""


def check_bundle(bundle: Path, pictures: Sequence[np.ndarray]) -> Agreement:
    """Serve a bundle and compare its answers on `pictures`, (H, W, 3) uint8 RGB, with its detector on torch.

    Errors: BundleServerError when the server does not work; BundleCheckError when it differs by more than
    agreement.TOLERANCE.
    """
    on_torch = load(bundle / MODEL, "cpu")
    with serving(bundle) as address:
        agreed = agreement(on_torch, Served(address, on_torch.facts), pictures)
    if not agreed.equal:
        raise BundleCheckError(
            f"the server of {bundle} does not find what torch finds: {agreed}; make the bundle again"
        )
    return agreed
