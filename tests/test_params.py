"""params.yaml: what is accepted, and how what is not is said."""

import re
from pathlib import Path

import pytest
import yaml

from metricloop.data.readers import NAMES
from metricloop.params import Params, ParamsError, check_params, known_keys, load_params
from metricloop.study.edit_params import change_params
from metricloop.study.new_study import NewStudy, demo_plan, params_values
from metricloop.study.rendering import align_comments, render

MINIMAL = {"study": {"name": "x"}, "data": {"source": "y"}}
TEXT = align_comments(
    render("params.yaml.j2", **params_values(NewStudy(name="lion", source="/data/lion", root="/data/lion")))
)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"trian": {}}, "trian: unknown key; did you mean 'train'?"),
        ({"train": {"iteration": 3}}, "train.iteration: unknown key; did you mean 'train.iterations'?"),
        ({"study": {"name": "x", "budgt": 1}}, "did you mean 'study.budget'?"),
        ({"study": {"name": "x", "budget": 0}}, "study.budget: Input should be greater than 0, found 0"),
        ({"study": {"name": "a/b"}}, "study.name"),
        ({"data": {}}, "data.source: required, and missing"),
        ({"train": {"detector": "yolo"}}, "train.detector: Input should be 'fcos_shufflenet', "),
        (
            {"data": {"source": "y", "format": "xml"}},
            f"data.format: Input should be 'auto', {', '.join(map(repr, NAMES[:-1]))} or {NAMES[-1]!r}, found 'xml'",
        ),
        ({"train": {"device": "gpu"}}, "train.device"),
        ({"train": {"detector": "fcos_resnet50_fpn"}}, "drawn does not exist for fcos_resnet50_fpn; give default"),
        ({"looks": {"arms": [6, 3]}}, "looks.arms must grow from look to look, found [6, 3]"),
        ({"looks": {"arms": [3]}}, "need one entry per look, the same number in each; found 1, 2 and 2"),
        ({"looks": {"alpha": [0.3, 0.3]}}, "looks.alpha adds up to 0.6; it must stay below 0.5"),
        ({"seeds": {"max": 9}}, "seeds: no longer a key; it is looks now"),
    ],
)
def test_faults_are_named_with_the_key_and_what_to_do(values, said):
    with pytest.raises(ParamsError, match=re.escape(said)):
        check_params(MINIMAL | values)


def test_a_folder_without_params_is_no_workspace(tmp_path):
    with pytest.raises(ParamsError, match="metricloop init"):
        load_params(tmp_path / "params.yaml")


def test_the_template_holds_every_key_with_its_default_and_a_comment():
    values = yaml.safe_load(TEXT)
    assert check_params(values) == check_params(
        {"study": {"name": "lion"}, "data": {"source": "/data/lion", "root": "/data/lion"}}
    )
    for key in known_keys():
        node = values
        if key.startswith("scenes."):
            continue  # only in the demo's workspace
        for part in key.split("."):
            assert part in node, f"{key} is not in the template"
            node = node[part]
    for line in TEXT.splitlines():
        if re.match(r" +[a-z_]+: .*", line) and not line.strip().startswith("- "):
            key = line.split(":")[0].strip()
            assert "#" in line or key in {"batch_size", "folds", "seed"}, f"no comment on: {line}"


def test_the_demo_template_is_valid_and_drawn():
    params = check_params(yaml.safe_load(render("params.yaml.j2", **params_values(demo_plan("demo")))))
    assert params.scenes.images > 0
    assert params.data.corrupt.preset == "article"


def test_set_changes_one_key_and_keeps_comments(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    changes = change_params(path, ["train.iterations=7", "data.corrupt.strength=1"])
    assert changes == ["params.yaml: train.iterations: 250 -> 7", "params.yaml: data.corrupt.strength: 0.5 -> 1"]
    assert load_params(path).train.iterations == 7
    before, after = TEXT.splitlines(), path.read_text().splitlines()
    assert [line.split("#")[1] for line in before if "#" in line] == [
        line.split("#")[1] for line in after if "#" in line
    ]


def test_set_writes_a_list_on_one_line_and_can_take_it_back(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    change_params(path, ["predict.views=[flip, seed]"])
    assert load_params(path).predict.views == ("flip", "seed")
    assert "  views: [flip, seed]       # " in path.read_text()
    change_params(path, ["predict.views=[]"])
    assert load_params(path).predict.views == ()
    assert "  views: []                 # " in path.read_text()


def test_set_without_a_value_empties_text_that_may_be_empty(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    change_params(path, ["data.labels=labels/2.json", "data.second_labels=second.json"])
    assert change_params(path, ["data.labels="]) == ['params.yaml: data.labels: "labels/2.json" -> ""']
    change_params(path, ["data.second_labels="])
    assert (load_params(path).data.labels, load_params(path).data.second_labels) == ("", "")
    with pytest.raises(ParamsError, match=r"data.source: .* found None"):
        change_params(path, ["data.source="])


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("train.iters=7", "did you mean 'train.iterations'"),
        ("train.iterations=0", "greater than"),
        ("train", "KEY=VALUE"),
    ],
)
def test_set_refuses_and_leaves_the_file_alone(tmp_path, assignment, said):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    with pytest.raises(ParamsError, match=said):
        change_params(path, [assignment])
    assert path.read_text() == TEXT


def test_data_folder_is_the_root_or_the_sources_folder(tmp_path):
    (tmp_path / "annotations.json").write_text("{}")
    data = Params.model_validate(MINIMAL).data
    assert data.model_copy(update={"source": str(tmp_path)}).folder == tmp_path
    assert data.model_copy(update={"source": str(tmp_path / "annotations.json")}).folder == tmp_path
    assert data.model_copy(update={"root": "pictures"}).folder == Path("pictures")


def test_engineers_have_a_model_each():
    def models(**llm):
        return check_params({"study": {"name": "s"}, "data": {"source": "y"}, "llm": llm}).llm.engineer_models

    assert models(model="a") == ("a",)
    assert models(model="a", engineers=2) == ("a", "a")
    assert models(model="a", models=["b", "c"]) == models(models=["b", "c"], engineers=2) == ("b", "c")
    with pytest.raises(ParamsError, match=r"llm.engineers is 3, but llm.models names 2"):
        models(models=["b", "c"], engineers=3)
