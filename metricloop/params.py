"""params.yaml: the settings of a study. One frozen model per section; unknown keys are refused."""

from __future__ import annotations

import difflib
import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from metricloop import layout
from metricloop.config import PositiveShare, Section, one_of
from metricloop.data import door, readers
from metricloop.data.damage_presets import Corrupt
from metricloop.data.group_words import AUTO, OFF
from metricloop.data.packed import PARQUET
from metricloop.data.repaired_truth import RIGHT
from metricloop.data.seeds import CONFIRM_SEEDS, STUDY_SEEDS
from metricloop.data.tables import read_yaml
from metricloop.data.urls import is_url, path_of, without_secrets
from metricloop.detector import architectures
from metricloop.execution.settings import Execution
from metricloop.llm.settings import LanguageModel
from metricloop.sandbox.limits import MetricLimits

Count = Annotated[int, Field(ge=1)]


# What data.source may end in, where it is a file.
LABEL_FILES = {".json", ".jsonl", ".xml", ".yaml", ".yml", ".txt", ".csv", PARQUET}
BUILT_IN = Path(__file__).parent / "detector" / "backbones" / "drawn_animals.pt"  # train.weights: drawn


GONE = {"seeds": "looks", "compare.alpha": "looks.alpha"}  # keys of earlier versions, and what they became


class ParamsError(ValueError):
    """params.yaml cannot be used; the message lists every fault, and what to do."""


class Study(Section):
    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
    budget: PositiveShare = 0.25
    seed: int = 0


class Data(Section):
    source: str
    format: Annotated[str, one_of(("auto", *readers.NAMES))] = "auto"
    root: str = ""
    categories: tuple[str, ...] = ()
    labels: str = ""
    second_labels: str = ""
    second_iou: Annotated[float, Field(gt=0, le=1)] = RIGHT
    outside: bool | tuple[str, ...] = False
    group: str = AUTO
    near_duplicates: bool | Annotated[float, Field(ge=0, le=64)] | Literal["auto", "off"] = "auto"
    search_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    corrupt: Corrupt = Corrupt()

    @field_validator("source", "root", "second_labels")
    @classmethod
    def _is_place(cls, value: str) -> str:
        path_of(value)  # raises URLError, which is a ValueError
        return value

    @field_validator("outside")
    @classmethod
    def _are_places(cls, value: bool | tuple[str, ...]) -> bool | tuple[str, ...]:
        for place in () if isinstance(value, bool) else value:
            path_of(place)
        return value

    @field_validator("group", mode="before")
    @classmethod
    def _is_pattern(cls, value: Any) -> Any:
        if value is False:  # how YAML reads `off`
            return OFF
        try:
            re.compile(value if isinstance(value, str) else "")
        except re.error as error:
            raise ValueError(
                f"is no regular expression: {error}; give auto, off, or a pattern such as ([^/]+)_"
            ) from None
        return value

    @property
    def near(self) -> float | str:
        """data.near_duplicates as "auto", "off" or grey levels; YAML reads `off` as False."""
        if isinstance(self.near_duplicates, bool):
            return AUTO if self.near_duplicates else OFF
        return self.near_duplicates

    @property
    def folder(self) -> Path:
        """The base folder of the `file` column of images.parquet: data.root, or the folder of data.source."""
        if self.root:
            return path_of(self.root)
        source = self.place
        if is_url(source):  # which is not asked for its kind
            return source.parent if source.suffix.lower() in LABEL_FILES else source
        return source if door.is_dir(source) else source.parent

    @property
    def place(self) -> Path:
        """data.source as a path; a URL as its path (see `data.urls`)."""
        return path_of(self.source)

    @property
    def at_url(self) -> bool:
        """Whether labels or pictures lie at a URL."""
        return is_url(self.place) or is_url(path_of(self.root))


class Scenes(Section):
    images: Count = 960
    size: Annotated[int, Field(ge=64, le=1024)] = 160
    seed: int = 0


class Predict(Section):
    folds: Annotated[int, Field(ge=2, le=20)] = 2
    iterations: Count = 250
    views: tuple[Literal["flip", "crop", "seed"], ...] = ()


class Embed(Section):
    model: Annotated[str, Field(min_length=1)] = "backbone"
    weights: Annotated[str, Field(min_length=1)] = "default"
    image_size: Annotated[int, Field(ge=32, le=1024)] = 224


class Score(Section):
    jobs: int = 0
    max_failures: Annotated[float, Field(ge=0, le=1)] = 0.2


class Train(Section):
    detector: Annotated[str, one_of(architectures.NAMES)] = architectures.DEFAULT
    weights: str = "drawn"
    image_size: Annotated[int, Field(ge=32, le=2048, multiple_of=32)] = 224
    iterations: Count = 250
    batch_size: Count = 8
    learning_rate: Annotated[float, Field(gt=0)] = 0.001
    augment: Literal["auto", "albumentations", "torchvision", "none"] = "auto"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    amp: bool = True
    threads: Count = 1

    @model_validator(mode="after")
    def _weights_fit(self) -> Train:
        small = self.detector == architectures.DEFAULT
        if self.weights == ("default" if small else "drawn"):
            fitting = "drawn, none or a path" if small else "default, none or a path"
            raise ValueError(f"train.weights: {self.weights} does not exist for {self.detector}; give {fitting}")
        return self


class Run(Section):
    """How the study is run; nothing here changes a result, so no stage depends on it."""

    parallel: Literal["auto"] | Count = "auto"


class Evaluate(Section):
    score_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.01
    max_detections: Count = 100


SeedCount = Annotated[int, Field(ge=2, le=len(STUDY_SEEDS))]


class Looks(Section):
    """One entry per look in each list: seeds of an arm, seeds of the baseline, error rate."""

    arms: tuple[SeedCount, ...] = (3, 6)
    baseline: tuple[SeedCount, ...] = (12, 18)
    alpha: tuple[Annotated[float, Field(gt=0, lt=0.5)], ...] = (0.02, 0.03)

    @model_validator(mode="after")
    def _one_entry_per_look(self) -> Looks:
        if not len(self.arms) == len(self.baseline) == len(self.alpha) > 0:
            raise ValueError(
                f"looks.arms, looks.baseline and looks.alpha need one entry per look, the same number in each; found "
                f"{len(self.arms)}, {len(self.baseline)} and {len(self.alpha)}"
            )
        for name in ("arms", "baseline"):
            seeds = getattr(self, name)
            if list(seeds) != sorted(set(seeds)):
                raise ValueError(f"looks.{name} must grow from look to look, found {list(seeds)}")
        if sum(self.alpha) >= 0.5:
            raise ValueError(f"looks.alpha adds up to {sum(self.alpha):g}; it must stay below 0.5, and is usually 0.05")
        return self


class Screen(Section):
    """Short trials before the full ones: seeds of an arm (0: no screening) and of the baseline, share of iterations."""

    seeds: Annotated[int, Field(ge=0, le=10)] = 0
    baseline: Annotated[int, Field(ge=1, le=10)] = 6
    share: Annotated[float, Field(gt=0, lt=1)] = 0.4


class Compare(Section):
    bootstrap: Annotated[int, Field(ge=50)] = 500
    smallest_gain: Annotated[float, Field(ge=0, lt=1)] = 0.02


When = Literal["better", "always", "never"]


class Confirm(Section):
    when: When = "better"
    seeds: Annotated[int, Field(ge=1, le=len(CONFIRM_SEEDS))] = 6
    baseline: Annotated[int, Field(ge=1, le=len(CONFIRM_SEEDS))] = 12


class Params(Section):
    study: Study
    data: Data
    scenes: Scenes = Scenes()
    predict: Predict = Predict()
    embed: Embed = Embed()
    score: Score = Score()
    sandbox: MetricLimits = MetricLimits()
    train: Train = Train()
    run: Run = Run()
    execution: Execution = Execution()
    evaluate: Evaluate = Evaluate()
    screen: Screen = Screen()
    looks: Looks = Looks()
    compare: Compare = Compare()
    confirm: Confirm = Confirm()
    llm: LanguageModel = LanguageModel()


def load_params(path: Path | str = layout.PARAMS) -> Params:
    """Read and validate params.yaml.

    Errors: ParamsError for a missing file, an unknown key (with the nearest known name) or a value that does not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise ParamsError(
            f"no {path.name} in {path.resolve().parent}: this is not a workspace; "
            "make one with `metricloop init DIR --data SOURCE`"
        )
    return check_params(read_yaml(path), str(path))


def check_params(values: dict[str, Any], where: str = layout.PARAMS) -> Params:
    """Validate the parsed contents of params.yaml; `where` names them in errors."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = "\n".join(f"  {_explain(fault)}" for fault in error.errors())
        raise ParamsError(f"{where} cannot be used:\n{faults}") from None


def weights_digest(weights: str) -> str:
    """A name for the content of train.weights: the hash of the file, or the word itself (none, default)."""
    path = BUILT_IN if weights == "drawn" else Path(weights)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else weights


def known_keys(model: type[BaseModel] = Params, prefix: str = "") -> list[str]:
    """Every key of params.yaml as a dotted path."""
    keys = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += known_keys(kind, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def _explain(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if key in GONE:
        return f"{key}: no longer a key; it is {GONE[key]} now, see the params.yaml of a new workspace"
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(key, _all_paths())}"
    if fault["type"] == "missing":
        return f"{key}: required, and missing"
    if fault["type"] == "value_error" and isinstance(fault["input"], dict):
        said = fault["msg"].removeprefix("Value error, ")
        return said if said.startswith(f"{key}.") else f"{key}: {said}"
    if fault["type"] == "less_than_equal" and fault["ctx"]["le"] == 1 and 1 < (given := fault["input"]) <= 100:
        return f"{key}: it is a share, 0 to 1, found {given:g}; did you mean {given / 100:g}, for {given:g}%?"
    return f"{key}: {fault['msg']}, found {without_secrets(repr(fault['input']))}"


def _all_paths() -> list[str]:
    leaves = known_keys()
    return sorted({key.rsplit(".", n)[0] for key in leaves for n in range(key.count(".") + 1)})


def nearest(name: str, known: list[str]) -> str:
    """`; did you mean X?` with the nearest known name, or the list of known names if none is near."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not close:
        tail = {path.rsplit(".", 1)[-1]: path for path in known}
        match = difflib.get_close_matches(name.rsplit(".", 1)[-1], list(tail), n=1, cutoff=0.6)
        close = [tail[match[0]]] if match else []
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
