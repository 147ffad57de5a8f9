"""A short trial has a recipe of its own, so that it is never taken for a full one."""

from metricloop.params import check_params
from metricloop.training import short_trial
from metricloop.training.short_trial import shortened


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
        return short_trial.Trained({"w": 1}, {}, "scratch")

    class Split:
        class_names = ("lion",)

    stand_ins = {
        "train_recipe": lambda used, search: {"iterations": used.train.iterations},
        "train_trial": train,
        "load_model": lambda state, classes, used: (state, classes),
        "evaluate_models": lambda models, search, used: {
            seed: ({"mAP": 0.3, "mAR": 0.4, "mAP50": 0.5}, None, None) for seed in models
        },
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(short_trial, name, stand_in)
    numbers, trained = short_trial.short_trial("x", Split(), Split(), None, params(250), 38)
    assert seen == {"recipe": {"iterations": 100}, "iterations": 100}
    assert numbers == {"mAP": 0.3, "mAR": 0.4}
    assert trained.model == {}
