"""What MLflow should show, as plain records: a run, and a call of the language model. Imports no mlflow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

RATE = "images_per_s"  # a metric of a run that no stage writes into its outputs


@dataclass(frozen=True)
class Assessment:
    """What became of one suggestion of a call. name: passed, repaired (how often) or gain (in mAP). why: in words."""

    name: str
    suggestion: str
    value: bool | int | float
    why: str


@dataclass(frozen=True)
class ModelCall:
    """One call of the language model. key: round, step, suggestion, attempt. messages: (role, text), the whole thread.

    answer: None when the call failed; `error` then says why. rung: how JSON was asked for. estimated: whether the token
    counts are estimates. cost: USD, None when the price is unknown. recorded: the date of the recording for a replayed
    answer. start, end: nanoseconds since 1970. template: the hash of its prompt template. cached_tokens: of the prompt;
    reasoning_tokens: of the answer. effort, tier: reasoning effort and service tier, "" where not known.
    """

    key: tuple[int, str, str, int]
    messages: tuple[tuple[str, str], ...]
    answer: str | None
    error: str
    model: str
    provider: str
    finish: str
    rung: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    retries: int
    cost: float | None
    recorded: str | None
    start: int
    end: int
    template: str = ""
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    api: str = ""
    effort: str = ""
    tier: str = ""
    assessments: tuple[Assessment, ...] = ()

    @property
    def name(self) -> str:
        """A title such as "round 1: repair tightness (2)"."""
        number, step, suggestion, attempt = self.key
        return f"round {number}: {step}{f' {suggestion}' if suggestion else ''}{f' ({attempt})' if attempt else ''}"


@dataclass(frozen=True)
class RunRecord:
    """One MLflow run. curve: (loss, step) pairs. dataset: (file, digest). file: (file to attach, digest).

    texts: name -> content of further files. sheet: a subset's file, of which a contact sheet is attached. calls: of the
    language model, shown as traces. began, ended: milliseconds since 1970, None where nobody knows them. rank: position
    in the table of runs without a time; a run whose position changes is written again.
    """

    name: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    curve: tuple[tuple[float, int], ...] = ()
    dataset: tuple[str, str] | None = None
    file: tuple[str, str] | None = None
    texts: dict[str, str] = field(default_factory=dict)
    sheet: str = ""
    calls: tuple[ModelCall, ...] = ()
    began: int | None = None
    ended: int | None = None
    rank: int = 0

    @property
    def key(self) -> str:
        """Hash of the content; tells whether MLflow has exactly this run.

        Rates and times do not count: their file is scratch, and a run whose file was deleted keeps what it shows.
        """
        content = {name: value for name, value in asdict(self).items() if name not in ("began", "ended")}
        content["metrics"] = {name: value for name, value in self.metrics.items() if name != RATE}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
