"""Import torchvision without torch's compiler: 1.5 s less at the start of every stage.

torchvision.ops.roi_align imports torch._dynamo only to ask whether a device can compile. Nothing here is compiled, so a
stand-in answers while torchvision is imported. What asks for the compiler later still gets it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import torch  # noqa: F401  loads no compiler, but has to be complete before

PACKAGE, UTILS = "torch._dynamo", "torch._dynamo.utils"


def import_torchvision() -> None:
    """Import torchvision's detectors, with a stand-in for the compiler if neither is loaded yet."""
    stands_in = PACKAGE not in sys.modules and "torchvision" not in sys.modules
    if stands_in:
        sys.modules[PACKAGE], sys.modules[UTILS] = _stand_in(PACKAGE), _stand_in(UTILS)
        sys.modules[UTILS].__dict__["is_compile_supported"] = _is_compile_supported
    try:
        import_module("torchvision.models.detection")
    finally:
        _remove_stand_ins()


def _is_compile_supported(device_type: str) -> bool:
    return import_module(UTILS).is_compile_supported(device_type)


def _stand_in(name: str) -> ModuleType:
    """An empty module. Whoever looks for more than torchvision does today gets it from the real one."""

    def look_up(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        _remove_stand_ins()
        return getattr(import_module(name), attribute)

    module = ModuleType(name)
    module.__dict__.update({"__path__": [], "__getattr__": look_up, "stands_in": True})
    return module


def _remove_stand_ins() -> None:
    for name in (UTILS, PACKAGE):
        if name in sys.modules and "stands_in" in vars(sys.modules[name]):
            del sys.modules[name]


import_torchvision()
