"""A policy as a sentence of a page; as its options where this version does not know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metricloop.selection.policies import PolicyError
from metricloop.selection.policy_words import policy_words
from metricloop.text import numbers


def policy_text(policy: Mapping[str, Any], budget: float, **names: Any) -> str:
    """The policy in words; names: as of `policy_words`. An old study may hold a policy that is gone: never an error."""
    try:
        return policy_words(policy, budget, **names)
    except PolicyError:
        return f"Policy: {numbers.policy(dict(policy))}."
