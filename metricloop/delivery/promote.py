"""Promote an arm: train its detector anew with fresh seeds, and keep the best one as a version for use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metricloop import layout
from metricloop.comparison.arm_rows import Arm
from metricloop.comparison.comparison_file import read_comparison
from metricloop.data.loading import load
from metricloop.data.seeds import PROMOTE_SEEDS
from metricloop.delivery.category_ids import category_ids
from metricloop.delivery.choose import choose
from metricloop.delivery.detector_folder import read_weights
from metricloop.delivery.promoted import add_version, all_facts, make_champion
from metricloop.delivery.promotion_trials import Trial, best_of, train_all
from metricloop.delivery.study_facts import check_judged, numbers_on_test, recipe_of, second_metric
from metricloop.delivery.training_subset import OWN, TrainingSubset, larger_subset, own_subset
from metricloop.params import Params, load_params
from metricloop.runtime.code_digest import detector_digest, stage_digest
from metricloop.training.recipe import content_digest

if TYPE_CHECKING:
    from torch import Tensor

SEEDS = 3
# Facts that may change without another training; a version with other ones is a new version.
STATED = ("verdict", "anyway", "test", "classes", "category_ids", "name")


@dataclass(frozen=True)
class Wish:
    """What to promote. arm: None for the winner; anyway: whatever its verdict; share: of the pool, None for the study's
    budget; seeds: how many trials, of which the best is kept.
    """

    arm: str | None = None
    anyway: bool = False
    share: float | None = None
    seeds: int = SEEDS

    def __post_init__(self) -> None:
        if not 1 <= self.seeds <= len(PROMOTE_SEEDS):
            raise ValueError(f"--seeds is {self.seeds}; it must be from 1 to {len(PROMOTE_SEEDS)}")
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"--share is {self.share:g}; it must be above 0 and at most 1, such as 0.5")

    def arguments(self) -> list[str]:
        """The command line of the step `promote` that asks for this."""
        share = [] if self.share is None else ["--share", f"{self.share!r}"]
        anyway = ["--anyway"] if self.anyway else []
        return [*([self.arm] if self.arm else []), *anyway, *share, "--seeds", str(self.seeds)]


@dataclass(frozen=True)
class Promoted:
    """A version for use. made: whether it is new; trained: whether anything was trained for it."""

    version: int
    facts: dict[str, Any]
    made: bool
    trained: bool


def promote(wish: Wish) -> Promoted:
    """Promote an arm of the workspace that is the current folder, and make it the champion.

    A detector that was promoted before, of the same arm and subset with the same recipe, code and seeds, is not trained
    again; if the study says the same of it as then, it gets no new version either.
    Errors: ArmRefusedError, ChangedStudyError, PolicyError, TableError; those of a trial.
    """
    params, here = load_params(), Path()
    row = choose(read_comparison(here), here.absolute(), wish.arm, wish.anyway)
    search = load(layout.DATA, params.data.folder, "search")
    recipe = recipe_of(params, row["name"], search)
    numbers, seeds = range(wish.seeds), PROMOTE_SEEDS[: wish.seeds]
    if wish.share is None:
        subset = own_subset(params, row["name"])
        check_judged(row["name"], subset.md5)
    else:
        subset = larger_subset(params, row["name"], wish.share, numbers)
    code = [stage_digest("train"), detector_digest(params.train.detector)]
    key = content_digest(row["name"], subset.md5, recipe["hash"], list(seeds), *code)
    stated = _stated(params, row, list(search.class_names))
    before = {number: facts for number, facts in all_facts(here).items() if facts.get("key") == key}
    same = [number for number, facts in before.items() if all(facts.get(name) == stated[name] for name in STATED)]
    if same:
        make_champion(here, same[-1])
        return Promoted(same[-1], before[same[-1]], made=False, trained=False)
    if before:
        number, facts = max(before.items())
        del facts["version"]
        state, facts = read_weights(here / layout.promoted_folder(number)), facts | stated
        return _written(facts, state, subset, trained=False)
    trials = train_all(params, row["name"], [(seed, subset.draw(number)) for number, seed in enumerate(seeds)])
    best = best_of(trials)
    facts = stated | _facts(params, row, recipe, subset, trials, best) | {"key": key}
    promoted = _written(facts, best.weights(), subset, trained=True)
    for trial in trials:
        trial.trained.clear_scratch()
    return promoted


def _written(facts: dict[str, Any], state: Mapping[str, Tensor], subset: TrainingSubset, *, trained: bool) -> Promoted:
    facts = facts | {"made": datetime.now(UTC).isoformat(timespec="seconds"), "metricloop": installed("metricloop")}
    number = add_version(Path(), facts, state, {OWN: subset.own} if subset.own else {})
    make_champion(Path(), number)
    return Promoted(number, facts | {"version": str(number)}, made=True, trained=trained)


def _stated(params: Params, row: Arm, classes: list[str]) -> dict[str, Any]:
    """STATED: what is said of the detector, and does not come from its training."""
    return {
        "name": params.study.name,
        "classes": classes,
        "category_ids": category_ids(params.data.place, classes),
        "verdict": row["verdict"],
        "anyway": row["verdict"] != "better",
        "test": numbers_on_test(row["name"]),
    }


def _facts(
    params: Params, row: Arm, recipe: dict[str, Any], subset: TrainingSubset, trials: list[Trial], best: Trial
) -> dict[str, Any]:
    return {
        "study": params.study.name,
        "arm": row["name"],
        "metric": row["metric"],
        "second_metric": second_metric(row["name"]),
        "policy": row["policy"],
        "unsafe_in_process": bool(row.get("unsafe_in_process")),
        "architecture": params.train.detector,
        "image_size": params.train.image_size,
        "score_threshold": params.evaluate.score_threshold,
        "max_detections": params.evaluate.max_detections,
        "best_score": best.best_score,
        "subset": subset.described(best.seed - PROMOTE_SEEDS[0]),
        "seed": best.seed,
        "search": best.numbers,
        "trials": {str(trial.seed): trial.numbers for trial in trials},
        "recipe": recipe,
    }
