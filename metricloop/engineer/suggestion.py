"""The answers of the language model: suggestions and reflections, read from JSON and checked; no code is run here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, field_validator

from metricloop.config import Section
from metricloop.data.label_errors import TARGETS
from metricloop.llm.extract import json_in
from metricloop.metrics.families import IDEA_FAMILIES
from metricloop.text.clean import clean, printable

if TYPE_CHECKING:
    Target = str
    IdeaFamily = str
else:
    Target = Literal[TARGETS]
    IdeaFamily = Literal[tuple(IDEA_FAMILIES)]
Kind = TypeVar("Kind", bound=BaseModel)
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,40}$")]
FUNCTION = r"^[a-z][a-z0-9_]{2,60}$"  # the name of a metric or a repair; files are named after it, too
MetricName = Annotated[str, Field(pattern=FUNCTION)]
Prose = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(printable)]
QuestionId = Annotated[str, Field(pattern=r"^Q\d{1,3}\.\d{1,3}$")]
MOST_VARIANTS = 3  # of an idea, itself included
ALONE = "random"  # the policy of a repair without a metric


def _without_nulls(policy: Any) -> Any:
    """Leave out options that are null, so that they keep their defaults; also those of `mend`."""
    return {k: _without_nulls(v) for k, v in policy.items() if v is not None} if isinstance(policy, dict) else policy


def _with_code(code: str | None) -> str | None:
    """Code that fits a file; blanks are none. Errors: ValueError."""
    if code is None or not code.strip():
        return None
    code.encode()  # half a surrogate pair raises UnicodeEncodeError, which is a ValueError
    return code


Option = str | float | int
Policy = Annotated[dict[str, Option | dict[str, Option]], BeforeValidator(_without_nulls)]
CodeFile = Annotated[str, Field(max_length=50_000)]


class AnswerError(ValueError):
    """An answer cannot be used; the message lists every fault for the model."""


class Variant(Section):
    """Another way from an idea's metric and repair to a subset."""

    policy: Policy = Field(description="how its scores become a subset")
    partner: MetricName | None = Field(None, description="a known metric, for a policy with `combine`")


class Suggestion(Section):
    """One idea of one round. `code` and `repair_code` are texts of files that declare its metric and its repair, unread
    by any person."""

    name: Word = Field(description="of the idea, snake_case; it will name the arm in every table")
    hypothesis: Prose = Field(description="why training on what this selects gives a better detector")
    targets: Target = Field(description="the kind of label error that it is after")
    family: str = Field(pattern=r"^[a-z][a-z0-9_-]{2,40}$")
    adapts: Annotated[str, Field(max_length=2000), AfterValidator(printable)] = ""
    rests_on: Annotated[tuple[QuestionId, ...], Field(max_length=12)] = Field(
        (), description="your questions whose answers led to it, such as Q1.2"
    )
    parent: Word | None = Field(None, description="the earlier suggestion that it builds on, if any")
    metric: MetricName | None = Field(
        description="the function in `code`; without code, a metric that is known already; null for a repair alone, "
        "with the policy random"
    )
    partner: MetricName | None = Field(None, description="a known metric, for a policy with `combine`")
    code: CodeFile | None = Field(
        None, description="a whole Python file that declares `metric`; null to use a known metric in another way"
    )
    repair_code: CodeFile | None = Field(
        None, description="a whole Python file that declares the repair in `policy.mend`; null for a known one, or none"
    )
    policy: Policy = Field(description="how its scores become a subset")
    control: Literal["inverse", "match"] | None = Field(
        None,
        description="a control beside it, which is no idea and in no correction: its policy in the other direction, or "
        "random images with as many boxes; one a round, for an idea without variants",
    )
    variants: Annotated[tuple[Variant, ...], Field(max_length=MOST_VARIANTS - 1)] = Field(
        (),
        description="other policies or partners for the same metric and repair; short trials decide which one is tried "
        "in full",
    )
    predicted_gain: float = Field(ge=-1, le=1, description="over random, in absolute mAP: 0.03 is three points")

    _fits_a_file = field_validator("code", "repair_code")(_with_code)

    @property
    def repair(self) -> str | None:
        """The name of the repair in its policy's option `mend`, if any."""
        mend = self.policy.get("mend")
        return str(mend.get("repair", "")) if isinstance(mend, dict) else None

    def arm(self) -> dict[str, Any]:
        """The arm of this suggestion for rounds.yaml, without its inputs a and b."""
        metric = {"metric": self.metric} if self.metric else {}
        return {"role": "treatment", **metric, "policy": dict(self.policy)}

    def as_variants(self) -> list[Suggestion]:
        """The entries of `variants` as suggestions without code, which use this one's metric and repair once it is
        accepted. One with the policy random is the repair alone, without the metric."""
        return [
            self.model_copy(
                update={
                    "name": f"{self.name[: 41 - len(f'_v{number}')]}_v{number}", "parent": self.name,
                    "code": None, "repair_code": None, "partner": variant.partner, "policy": variant.policy,
                    "metric": None if variant.policy.get("name") == ALONE else self.metric, "variants": (),
                    "control": None,
                }
            )
            for number, variant in enumerate(self.variants, start=2)
        ]  # fmt: skip


class NewSuggestion(Suggestion):
    """One idea of one round."""

    # This docstring stands in the schema that the model gets. In journals of earlier versions, Suggestion is all there
    # is: `adapts` is missing, and families are the model's own words.
    family: IdeaFamily = Field(description="the family that the idea comes from")
    adapts: Prose = Field(description="how the idea adapts what is known of its family to this data")


class Lesson(Section):
    """The model's conclusion about one suggestion."""

    suggestion: Word
    lesson: Prose = Field(description="what the numbers say of the hypothesis, and what to do with it next")


class Reflection(Section):
    """The model's conclusions about a round."""

    summary: Prose = Field(description="what is known now that was not known before this round")
    lessons: tuple[Lesson, ...] = Field(description="one for each suggestion of the round, also for those that failed")


def read_suggestions(answer: Any, most: int) -> tuple[list[Suggestion], list[tuple[str, str]]]:
    """The suggestions in an answer {"suggestions": [...]}, and its faults: (suggestion or "" for all, what is wrong).

    A suggestion with a fault is left out, and so are suggestions after the first `most` and repeated names. A fault
    names its suggestion by its number, because the name itself may be wrong.
    """
    entries = answer.get("suggestions") if isinstance(answer, dict) else None
    if not isinstance(entries, list) or not entries:
        return [], [("", 'the answer must be an object {"suggestions": [...]} with at least one suggestion')]
    found: list[Suggestion] = []
    faults: list[tuple[str, str]] = []
    for number, entry in enumerate(entries, start=1):
        label = f"suggestion {number}"
        try:
            one = read_suggestion(entry)
        except AnswerError as error:
            faults.append((label, str(error)))
            continue
        if any(one.name == other.name for other in found):
            faults.append((label, f"its name, {one.name}, is that of an earlier one"))
        elif len(found) == most:
            faults.append((label, f"one too many: {most} were asked for"))
        else:
            found.append(one)
    return found, faults


def read_proposal(text: str, most: int) -> tuple[list[Suggestion], list[tuple[str, str]]]:
    """The suggestions in the text of an answer, and its faults; see `read_suggestions`."""
    try:
        return read_suggestions(json_in(text), most)
    except ValueError as error:
        return [], [("", str(error))]


def read_repair(text: str, idea: Suggestion) -> Suggestion:
    """The repaired idea in the text of an answer. It keeps name, family and parent, and `adapts` if that is left out.

    Errors: ValueError saying what is wrong with the answer.
    """
    answer = json_in(text)
    if isinstance(answer, dict) and isinstance(answer.get("suggestions"), list) and len(answer["suggestions"]) == 1:
        answer = answer["suggestions"][0]
    if isinstance(answer, dict):
        answer = {"adapts": idea.adapts} | answer | {"name": idea.name, "family": idea.family, "parent": idea.parent}
    return _read(Suggestion, answer)


def read_suggestion(answer: Any) -> Suggestion:
    """A checked answer. Errors: AnswerError listing the wrong fields."""
    return _read(NewSuggestion, answer)


def read_reflection(answer: Any) -> Reflection:
    """A checked answer. Errors: AnswerError listing the wrong fields."""
    return _read(Reflection, answer)


def _read(model: type[Kind], answer: Any) -> Kind:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}" for fault in error.errors()[:8]]
        raise AnswerError("; ".join(clean(fault) for fault in faults)) from None


def proposal_schema(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of a proposal. policy: the schema of the field `policy`."""
    one = suggestion_schema(policy)["schema"]
    return _named("proposal", {"type": "object", "properties": {"suggestions": {"type": "array", "items": one}}})


def suggestion_schema(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of one suggestion. policy: the schema of the field `policy`."""
    schema = NewSuggestion.model_json_schema()
    schema["properties"]["policy"] = dict(policy)
    schema["$defs"]["Variant"]["properties"]["policy"] = dict(policy)
    return _named("suggestion", schema)


def reflection_schema() -> dict[str, Any]:
    return _named("reflection", Reflection.model_json_schema())


def _named(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "schema": strict(schema)}


def strict(schema: Any, definitions: Mapping[str, Any] | None = None) -> Any:
    """A JSON schema in the form that structured outputs need: every property required, no others allowed, no $ref, and
    only keywords that every server knows. Bounds and patterns are checked when the answer is read."""
    if isinstance(schema, list):
        return [strict(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    definitions = schema.get("$defs", definitions) or {}
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return strict(target | {k: v for k, v in schema.items() if k != "$ref"}, definitions)
    kept = {
        key: value if key in ("type", "enum", "const", "description") else strict(value, definitions)
        for key, value in schema.items()
        if key in ("type", "enum", "const", "description", "items", "anyOf")
    }
    if "properties" in schema:
        kept["properties"] = {name: strict(part, definitions) for name, part in schema["properties"].items()}
        kept |= {"required": list(kept["properties"]), "additionalProperties": False}
    return kept
