"""The policies that the language model may choose: as text for its prompt, and as the schema of its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from metricloop.engineer.suggestion import ALONE
from metricloop.mending.open_repair import repair_catalogue
from metricloop.selection.options import Mend
from metricloop.selection.policies import POLICIES, PolicyError, check_policy
from metricloop.text import numbers

# `inverse` is `best` with the other direction.
OFFERED = ("best", "drop_worst", "among", "strata", "band", "class_balanced", "diverse")
# Options that need what a suggestion cannot give (image names), that a person decides, or that `objectives` include.
WITHHELD = frozenset({"always", "distinct", "strength", "strength_b"})
# Options that a suggestion uses in another way than arms.yaml, where folders of scores and input files are named.
WORDS = {
    "objectives": "several metrics with strengths, below 0 where lower is better, such as `my_metric 2, blur -0.5`: "
    "the product of all ranks to these powers; your `metric` is one of them, the others are known; instead of "
    "direction, combine and partner",
    "mend": "apply the edits of a repair to the labels: {repair, least_confidence, when: before or after the policy "
    "sees them, kinds: of edits, such as `drop, add`, or null for all}; it goes with `objectives`, not with `combine`",
}


def on_offer(classes: int, embeddings: bool) -> tuple[str, ...]:
    """The policies on offer in a study with so many classes, and with or without embeddings."""
    left_out = {"class_balanced": classes < 2, "diverse": not embeddings}
    return tuple(name for name in OFFERED if not left_out.get(name))


def policy_text(names: Sequence[str] = OFFERED) -> str:
    """Every policy on offer with its options, defaults and what they mean, as Markdown."""
    shared = set.intersection(*(set(_fields(name)) for name in names))
    lines = []
    for name in names:
        fields = _fields(name)
        own = "; ".join(_option(option, field) for option, field in fields.items() if option not in shared)
        reads = " (needs a metric that scores objects)" if POLICIES[name].reads == "object scores" else ""
        lines.append(f"- `{name}`: {POLICIES[name].about}{reads}." + (f" Options: {own}." if own else ""))
    lines.append(f"- `{ALONE}`: {POLICIES[ALONE].about}. For a repair alone: it needs `mend`, and `metric` is null.")
    fields = _fields(names[0])
    lines += ["", "Options of all of them:", *(f"- {_option(name, fields[name])}" for name in fields if name in shared)]
    return "\n".join(lines)


def policy_schema(names: Sequence[str] = OFFERED) -> dict[str, Any]:
    """The JSON schema of a policy: its name, and every option that one of the policies on offer has, or null.

    One object for all policies, so that a shared option stands there once. Whether an option fits the policy is checked
    when the answer is read.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        schema = POLICIES[name].options.model_json_schema()
        for option in _fields(name):
            known = kinds.setdefault(option, [])
            found = _kinds(schema["properties"][option], schema.get("$defs", {}))
            known += [kind for kind in found if kind not in known]
    options = {option: {"anyOf": [*found, {"type": "null"}]} for option, found in kinds.items()}
    return {"type": "object", "properties": {"name": {"type": "string", "enum": [*names, ALONE]}, **options}}


def check_offered(policy: Mapping[str, Any], names: Sequence[str] = OFFERED) -> Any:
    """The checked options of a policy that the language model chose.

    Errors: PolicyError for a policy or an option that is not on offer, or a value that does not fit.
    """
    name = str(policy.get("name"))
    if name not in (*names, ALONE):
        raise PolicyError(f"unknown policy {name!r}; there are {', '.join(names)}, and {ALONE} for a repair alone")
    if name == ALONE and "mend" not in policy:
        raise PolicyError(f"{ALONE} without `mend` is the baseline; choose it for a repair alone")
    if strange := sorted(WITHHELD & set(policy)):
        raise PolicyError(f"policy {name}: unknown option {strange[0]!r}; known: {', '.join(_fields(name))}")
    return check_policy(policy)[1]


def offered_text(policy: Mapping[str, Any]) -> str:
    """A policy in words, without any text of a person or a model.

    Options whose value is neither a number nor a word that we offer for it are left out.
    """
    name = str(policy.get("name"))
    if name not in POLICIES:
        return "a policy"
    fields = POLICIES[name].options.model_fields
    kept = {
        option: value
        for option, value in policy.items()
        if option in fields and option not in WITHHELD
        and (isinstance(value, int | float) or value in _words(fields[option]))
    }  # fmt: skip
    return policy_text_of({"name": name, **kept}) + _offered_mend(policy.get("mend"))


def _offered_mend(mend: Any) -> str:
    """The option `mend` in words; a repair that a person or a model wrote is not named."""
    if not isinstance(mend, dict):
        return ""
    name = mend.get("repair")
    who = f"`{name}`" if name in repair_catalogue() else "a repair of its own"
    least = mend.get("least_confidence", Mend.model_fields["least_confidence"].default)
    return f", labels mended by {who} from {least:g} on" if isinstance(least, int | float) else ""


def policy_text_of(policy: Mapping[str, Any]) -> str:
    """One policy with its options in words, such as: best, among 50 %, higher is better."""
    direction = f", {policy['direction']} is better" if "direction" in policy else ""
    return f"{numbers.policy(dict(policy))}{direction}"


def _fields(name: str) -> dict[str, FieldInfo]:
    """The options of a policy that are on offer."""
    fields = POLICIES[name].options.model_fields
    return {option: field for option, field in fields.items() if option not in WITHHELD}


def _kinds(schema: dict[str, Any], definitions: Mapping[str, Any]) -> list[dict[str, Any]]:
    kinds = [definitions.get(kind.get("$ref", "").rpartition("/")[2], kind) for kind in schema.get("anyOf", [schema])]
    kept = ("type", "enum", "properties")
    return [{k: kind[k] for k in kept if k in kind} for kind in kinds if kind.get("type") != "null"]


def _option(name: str, field: FieldInfo) -> str:
    default = "none" if field.default is None else field.default
    return f"`{name}` ({_values(field)}{default} by default): {WORDS.get(name, field.description)}"


def _values(field: FieldInfo) -> str:
    """The values of an option that has only a few; "" otherwise."""
    words = _words(field)
    return f"{', '.join(words)}; " if words else ""


def _words(field: FieldInfo) -> list[str]:
    """The words that an option may be; none for one that is a number."""
    parts = get_args(field.annotation) if get_origin(field.annotation) is not Literal else (field.annotation,)
    return [str(word) for part in parts if get_origin(part) is Literal for word in get_args(part)]
