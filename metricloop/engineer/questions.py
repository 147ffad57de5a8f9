"""The questions that the language model may ask before it proposes ideas: their fields, reader and JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from metricloop.config import Section
from metricloop.engineer.suggestion import MetricName, Policy, Word, strict
from metricloop.evaluation.error_types import KINDS
from metricloop.llm.extract import json_in
from metricloop.text.clean import clean, printable

MOST_QUESTIONS = 4  # in one call
MOST_TILES = 24  # of one contact sheet
MOST_IDS = 48
MOST_BOXES = 10**6  # of one image

if TYPE_CHECKING:
    ErrorKind = str
else:
    ErrorKind = Literal[KINDS]
Line = Annotated[str, Field(max_length=400), AfterValidator(clean)]
Code = Annotated[str, Field(min_length=1, max_length=50_000)]
Ids = Annotated[tuple[int, ...], Field(max_length=MOST_IDS), BeforeValidator(lambda ids: () if ids is None else ids)]


def _countable(number: int) -> int:
    """A number of boxes, cut to 0 and MOST_BOXES, since a model may write one of hundreds of digits."""
    return max(0, min(number, MOST_BOXES))


Boxes = Annotated[int, AfterValidator(_countable)]


def _default(value: Any) -> BeforeValidator:
    """null stands for the default."""
    return BeforeValidator(lambda given: value if given is None else given)


Marks = Annotated[Literal["labels", "predictions", "both", "none"], _default("labels")]


class Show(Section):
    """Show pictures."""

    kind: Literal["show"]
    why: Line = Field(description="the question that this answers")
    what: Literal["images", "objects", "errors"] = Field(
        description="whole images of the pool; labelled objects of the pool with their surroundings; or held-out "
        "images with errors of the baseline"
    )
    order: Annotated[
        Literal["random", "highest", "lowest", "disagreement", "crowded", "largest", "smallest", "extremes"],
        _default("random"),
    ] = Field(
        "random",
        description="highest, lowest and extremes (both ends) are those of `metric`; disagreement is with the "
        "out-of-fold predictions",
    )
    ids: Ids = Field((), description="only these images")
    metric: MetricName | None = Field(None, description="a known metric, to order by or to filter by its scores")
    score_from: float | None = None
    score_to: float | None = None
    class_name: Annotated[str, Field(max_length=200)] | None = Field(None, description="only this class")
    size_from: float | None = Field(None, description="of objects: root of the box's share of its image, 0 to 1")
    size_to: float | None = None
    boxes_from: Boxes | None = Field(None, description="of images: how many boxes")
    boxes_to: Boxes | None = None
    error: ErrorKind | None = Field(None, description="of held-out images: only this kind of error")
    arm: Word | None = Field(None, description="only what the first draw of this arm keeps, or leaves out")
    kept: Annotated[bool, _default(True)] = Field(True, description="with `arm`: kept, or left out")
    left_out_by: Word | None = Field(None, description="only what the first draw of this other arm leaves out")
    marks: Marks = "labels"
    tiles: Annotated[int, Field(ge=1), _default(12)] = Field(
        12, description=f"pictures on the sheet, up to {MOST_TILES}"
    )
    side: Annotated[int, Field(ge=32), _default(160)] = Field(160, description="of a tile, px")
    seed: Annotated[int, Field(ge=0, le=2**31), _default(0)] = 0


class Analyse(Section):
    """Run Python of your own over the pool."""

    kind: Literal["analyse"]
    why: Line = Field(description="the question that this answers")
    code: Code = Field(description="a whole Python file that defines `analyse(pool)`")
    pictures: Ids = Field(
        (), description=f"images whose pixels the code gets as pool.pictures[image_id], up to {MOST_IDS}"
    )


class Preview(Section):
    """What a metric and a policy would keep, and what that is likely to gain. With `mend` in the policy, also what its
    repair would change; leave `metric` null to see the repair alone. Nothing is trained."""

    kind: Literal["preview"]
    why: Line = Field(description="the question that this answers")
    metric: MetricName | None = Field(None, description="the function in `code`; without code, a known metric")
    partner: MetricName | None = Field(None, description="a known metric, for a policy with `combine`")
    code: Code | None = Field(None, description="a whole Python file that declares `metric`, or null")
    repair_code: Code | None = Field(None, description="a whole Python file with the repair in `policy.mend`, or null")
    policy: Policy = Field(description="as in a suggestion")
    pictures: Annotated[bool, _default(True)] = Field(True, description="show the extremes, and what is kept or not")
    marks: Marks = Field("labels", description="drawn on what is kept or not")


class Check(Section):
    """Whether code would pass the gate."""

    kind: Literal["check"]
    why: Line = Field(description="the question that this answers")
    name: MetricName = Field(description="the function in `code`, a metric or a repair")
    code: Code = Field(description="a whole Python file that declares it")


class Compare(Section):
    """Two arms with one another."""

    kind: Literal["compare"]
    why: Line = Field(description="the question that this answers")
    arm: Word = Field(description="an arm with results")
    other: Word | None = Field(None, description="another one; null for the random baseline")


Question = Show | Analyse | Preview | Check | Compare
_KINDS: dict[str, type[Question]] = {
    "show": Show, "analyse": Analyse, "preview": Preview, "check": Check, "compare": Compare,
}  # fmt: skip


def read_exploring(text: str) -> tuple[str, list[Question | str]]:
    """The notes and the questions in the text of an answer. A question that cannot be read is replaced by its fault.

    A fault is a string for the model. Questions after the first MOST_QUESTIONS are left out.
    Errors: ValueError saying what is wrong with the answer.
    """
    answer = json_in(text)
    if not isinstance(answer, dict) or not isinstance(answer.get("questions"), list):
        raise ValueError('the answer must be an object {"notes": "...", "questions": [...]}')
    notes = answer.get("notes")
    return printable(notes) if isinstance(notes, str) else "", [
        _read(entry) for entry in answer["questions"][:MOST_QUESTIONS]
    ]


def _read(entry: Any) -> Question | str:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        return f"kind: {clean(repr(kind), 60)} is none of {', '.join(_KINDS)}"
    try:
        return _KINDS[kind].model_validate(entry)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or kind}: {fault['msg']}" for fault in error.errors()[:6]]
        return clean("; ".join(faults), 600)


def exploring_schema(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an answer while exploring. policy: the schema of the field `policy`."""
    kinds = [_nullable(model.model_json_schema(), policy) for model in _KINDS.values()]
    questions = {"type": "array", "items": {"anyOf": [strict(kind) for kind in kinds]}}
    notes = {"type": "string", "description": "what the last answers told you, pictures included, for yourself later"}
    whole = {"type": "object", "properties": {"notes": notes, "questions": questions}}
    return {
        "name": "exploring",
        "schema": whole | {"required": ["notes", "questions"], "additionalProperties": False},
    }


def _nullable(schema: dict[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one kind of question, in which every field with a default may be null."""
    properties = {}
    for field, entry in schema["properties"].items():
        if "default" in entry:
            one = {k: v for k, v in entry.items() if k in ("type", "enum", "items")}
            kinds = [kind for kind in entry.get("anyOf", [one]) if kind.get("type") != "null"]
            about = {"description": entry["description"]} if "description" in entry else {}
            entry = {"anyOf": [*kinds, {"type": "null"}], **about}
        properties[field] = dict(policy) if field == "policy" else entry
    return {"type": "object", "properties": properties}
