"""The policies that the language model may choose: as text for its prompt, and as the schema of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from metricloop.selection.policies import POLICIES, PolicyError, check_policy

OFFERED = ("best", "drop_worst", "among", "strata", "band")  # `inverse` is `best` with the other direction
# Options that need what a suggestion cannot give (image names, score folders, embeddings), or that a person decides.
WITHHELD = frozenset({"always", "distinct", "objectives", "strength", "strength_b", "mend"})


def policy_text() -> str:
    """Every policy on offer with its options, defaults and what they mean, as Markdown."""
    shared = set.intersection(*(set(_fields(name)) for name in OFFERED))
    lines = []
    for name in OFFERED:
        fields = _fields(name)
        own = "; ".join(_option(option, field) for option, field in fields.items() if option not in shared)
        reads = " (needs a metric that scores objects)" if POLICIES[name].reads == "object scores" else ""
        lines.append(f"- `{name}`: {POLICIES[name].about}{reads}." + (f" Options: {own}." if own else ""))
    fields = _fields(OFFERED[0])
    lines += ["", "Options of all of them:", *(f"- {_option(name, fields[name])}" for name in fields if name in shared)]
    return "\n".join(lines)


def policy_schema() -> dict[str, Any]:
    """The JSON schema of a policy: one object per policy on offer; every option has a value or is null."""
    return {"anyOf": [_object(name) for name in OFFERED]}


def check_offered(policy: Mapping[str, Any]) -> Any:
    """The checked options of a policy that the language model chose.

    Errors: PolicyError for a policy or an option that is not on offer, or a value that does not fit.
    """
    name = policy.get("name")
    if name not in OFFERED:
        raise PolicyError(f"unknown policy {name!r}; there are {', '.join(OFFERED)}")
    if strange := sorted(WITHHELD & set(policy)):
        raise PolicyError(f"policy {name}: unknown option {strange[0]!r}; known: {', '.join(_fields(name))}")
    return check_policy(policy)[1]


def _fields(name: str) -> dict[str, FieldInfo]:
    """The options of a policy that are on offer."""
    fields = POLICIES[name].options.model_fields
    return {option: field for option, field in fields.items() if option not in WITHHELD}


def _object(name: str) -> dict[str, Any]:
    properties = POLICIES[name].options.model_json_schema()["properties"]
    options = {option: {"anyOf": [*_kinds(properties[option]), {"type": "null"}]} for option in _fields(name)}
    return {"type": "object", "properties": {"name": {"type": "string", "enum": [name]}, **options}}


def _kinds(schema: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = schema.get("anyOf", [schema])
    return [{k: kind[k] for k in ("type", "enum") if k in kind} for kind in kinds if kind.get("type") != "null"]


def _option(name: str, field: FieldInfo) -> str:
    default = "none" if field.default is None else field.default
    return f"`{name}` ({_values(field)}{default} by default): {field.description}"


def _values(field: FieldInfo) -> str:
    """The values of an option that has only a few; "" otherwise."""
    parts = get_args(field.annotation) if get_origin(field.annotation) is not Literal else (field.annotation,)
    words = [str(word) for part in parts if get_origin(part) is Literal for word in get_args(part)]
    return f"{', '.join(words)}; " if words else ""
