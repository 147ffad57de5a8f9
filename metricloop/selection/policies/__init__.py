"""All policies by name: how scores become a subset. Each file of this folder registers one policy or a small family.

A new policy is a new file here, and a test; the files are found when this package is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from pydantic import ValidationError

from metricloop.selection.options import PolicyError
from metricloop.selection.policy import Policy, registered

__all__ = ["POLICIES", "PolicyError", "check_policy", "needs_embeddings"]

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

POLICIES: Mapping[str, Policy] = registered()


def needs_embeddings(name: str, options: Any) -> bool:
    """Whether a policy with these options reads the embeddings, as input b."""
    return POLICIES[name].reads == "scores and embeddings" or getattr(options, "distinct", None) == "looks"


def check_policy(given: Mapping[str, Any]) -> tuple[str, Any]:
    """The name and the options (the policy's Section) of `{"name": ..., option: value, ...}`, checked.

    Errors: PolicyError for an unknown policy or option, with the nearest known name, or a value that does not fit.
    """
    options = dict(given)
    name = str(options.pop("name", ""))
    if name not in POLICIES:
        raise PolicyError(f"unknown policy {name!r}{_nearest(name, POLICIES)}")
    model = POLICIES[name].options
    try:
        checked = model.model_validate(options)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            key = ".".join(map(str, fault["loc"]))
            if fault["type"] == "extra_forbidden":
                faults.append(f"unknown option {key!r}{_nearest(key, model.model_fields)}")
            else:
                faults.append(f"{key}={fault['input']!r}: {fault['msg']}" if key else fault["msg"])
        raise PolicyError(f"policy {name}: {'; '.join(faults)}") from None
    if getattr(checked, "mend", None):
        _check_mend(name, checked)
    return name, checked


def _check_mend(name: str, options: Any) -> None:
    """Check that the edits can be input b. Errors: PolicyError when something else is, or the labels are others."""
    reads = POLICIES[name].reads
    if reads == "truth":
        raise PolicyError(f"policy {name} knows the true labels, so there is nothing to mend: take `mend` out")
    taken = (
        "combine" if getattr(options, "combine", None) else "the embeddings" if needs_embeddings(name, options) else ""
    )
    if other := "the subset to match" if reads == "subset" else taken:
        raise PolicyError(f"policy {name}: input b cannot serve {other} and mend; use only one of them")


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, 1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"
