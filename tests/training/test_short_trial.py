"""A short trial has a recipe of its own, so that it is never taken for a full one."""

from metricloop.params import check_params
from metricloop.training import judged_trial, trials
from metricloop.training.short_trial import short_trial, shortened
from metricloop.training.trial import Trained
from metricloop.training.trials import Trial, TrialInputs


def params(iterations, share=0.4):
    return check_params(
        {"study": {"name": "x"}, "data": {"source": "y"}, "train": {"iterations": iterations},
         "screen": {"seeds": 2, "share": share}}
    )  # fmt: skip


def test_only_the_number_of_iterations_differs():
    full = params(250)
    short = shortened(full)
    assert short.train.iterations == 100
    assert short.train.model_copy(update={"iterations": 250}) == full.train
    assert full.train.iterations == 250
    assert shortened(params(3)).train.iterations == 1
    assert shortened(params(1, share=0.1)).train.iterations == 1


def test_the_recipe_of_the_training_says_how_short_it_was(monkeypatch):
    seen = {}

    def train(label, pool, draw, used, recipe, seed):
        seen.update(recipe=recipe, iterations=used.train.iterations)
        return Trained({"w": 1}, {}, recipe, "kept")

    class Split:
        class_names = ("lion",)

    monkeypatch.setattr(trials, "train_recipe", lambda used, search: {"iterations": used.train.iterations})
    monkeypatch.setattr(trials, "train_trial", train)
    monkeypatch.setattr(judged_trial, "load_model", lambda state, classes, used: (state, classes))
    numbers = {"mAP": 0.3, "mAR": 0.4, "mAP50": 0.5}
    monkeypatch.setattr(
        judged_trial, "evaluate_models", lambda models, search, used: dict.fromkeys(models, (numbers, None, None))
    )
    numbers, trained = short_trial(Trial("x", 38, None), TrialInputs(params(250), Split(), Split()))
    assert seen == {"recipe": {"iterations": 100}, "iterations": 100}
    assert numbers == {"mAP": 0.3, "mAR": 0.4}
    assert trained.model == {}
