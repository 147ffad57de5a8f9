"""The hash of a recipe tells comparable trials from others."""

from metricloop.params import check_params
from metricloop.training.recipe import full_recipe, train_recipe

PARAMS = {"study": {"name": "x"}, "data": {"source": "y"}, "train": {"augment": "none", "weights": "none"}}


def test_the_recipe_changes_with_what_makes_trials_incomparable_and_with_nothing_else(pool):
    def of(**changes):
        values = {**PARAMS, **changes}
        params = check_params(values)
        return full_recipe(train_recipe(params, pool), params, pool)["hash"]

    base = of()
    assert base == of(study={"name": "another", "budget": 0.5})
    assert base == of(confirm={"seeds": 5})
    assert base != of(train=PARAMS["train"] | {"iterations": 5})
    assert base != of(train=PARAMS["train"] | {"augment": "torchvision"})
    assert base != of(evaluate={"max_detections": 7})


def test_the_recipe_names_the_layers_that_do_not_learn(pool, tmp_path):
    (tmp_path / "photos.pth").write_bytes(b"weights")

    def frozen(**train):
        return train_recipe(check_params({**PARAMS, "train": train}), pool)["frozen"]

    photos = str(tmp_path / "photos.pth")
    assert frozen(weights=photos) == ["stem", "stages.0"]
    assert frozen(weights="drawn") == frozen(weights="none") == []
    assert frozen(weights=photos, detector="fcos_resnet50_fpn") == []
