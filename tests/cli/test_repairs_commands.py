"""mend, and add of a repair, as typed."""

import json

import pytest
import yaml
from study_fixture import make_study

from metricloop.cli.main import main
from metricloop.study.plan import load_plan

OWN = '''
from metricloop import Edit, repair

@repair()
def left_out(frame):
    """Drop the labels of the left edge."""
    return [Edit.drop(row, 0.8) for row in range(len(frame.boxes)) if frame.boxes[row, 0] < 12]
'''


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study")


def test_a_repair_of_the_catalogue_is_measured(study, capsys):
    assert main(["mend", "tighten", "-C", str(study), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["repair"] == "tighten"
    assert set(found["edits"]) == {"drop", "move", "relabel", "add"}
    assert found["edits"]["drop"] == found["edits"]["add"] == 0
    assert main(["mend", "tighten", "-C", str(study)]) == 0
    said = capsys.readouterr().out
    assert f"put it to a test: metricloop add tighten -C {study}" in said
    assert "then write" not in said
    assert all(len(line) <= 80 for line in said.splitlines()[:-1])


def test_edits_of_some_kinds_are_measured_alone(study, capsys):
    assert main(["mend", "tighten", "-C", str(study), "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert main(["mend", "tighten", "-C", str(study), "--kinds", "drop,add", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert whole["edits"]["move"] > 0
    assert found["edits"] == {"drop": 0, "move": 0, "relabel": 0, "add": 0}
    assert [row["before"] for row in found["f1"]] == [row["after"] for row in found["f1"]]
    assert main(["mend", "tighten", "-C", str(study), "--kinds", "move", "--least-confidence", "0.7"]) == 0
    told = "then write into its mend in arms.yaml: least_confidence: 0.7, kinds: move"
    assert capsys.readouterr().out.splitlines()[-1] == told


def test_the_list_and_unknown_names(study, capsys):
    assert main(["mend", "--list"]) == 0
    assert "drop_unsupported (needs predictions)" in capsys.readouterr().out
    assert main(["mend", "consensos", "-C", str(study)]) == 1
    assert "no repair 'consensos' in the catalogue; did you mean 'consensus'?" in capsys.readouterr().err
    assert main(["mend", "xyz", "-C", str(study)]) == 1
    assert "it has consensus, drop_unsupported, tighten" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["mend", "consensus", "--repair", "x"], "'--repair': it goes with a file of your own only"),
        (["mend", "--list", "--json"], "'--json': the list has no such form"),
        (["mend", "tighten", "--kinds", "moved"], "'--kinds': there is no kind of edits 'moved'"),
        (["add", "consensus", "--relabel", "5"], "'--relabel': it takes a metric of the catalogue"),
        (["add", "consensus", "--policy", "best"], "'--policy': a repair is tried on random images"),
    ],
)
def test_options_that_say_nothing_are_refused(study, capsys, typed, said):
    assert main([*typed, "-C", str(study)]) == 2
    assert said in capsys.readouterr().err


def test_a_file_of_ones_own(study, walls, capsys):
    file = study / "own.py"
    file.write_text(OWN)
    before = (study / "arms.yaml").read_text()
    assert main(["mend", str(file), "-C", str(study)]) == 0
    assert "left_out: accepted by the gate" in capsys.readouterr().out
    assert (study / "arms.yaml").read_text() == before
    assert main(["add", str(file), "-C", str(study)]) == 0
    plan = load_plan(study)
    assert plan["repairs"] == {"left_out": {"code": "own.py", "needs": "data/images.parquet"}}
    assert plan["arms"]["left_out"]["b"] == "edits/left_out.parquet"
    assert (
        yaml.safe_load((study / "arms.yaml").read_text())["arms"]["left_out"]["policy"]["mend"]["repair"] == "left_out"
    )
    file.write_text(OWN.replace("< 12", "< -1"))
    capsys.readouterr()
    assert main(["mend", str(file), "-C", str(study)]) == 1
    assert "acts: changes no label" in capsys.readouterr().out
    assert main(["try", str(file), "-C", str(study)]) == 1
    assert "for a repair: metricloop mend own.py" in capsys.readouterr().err


def test_a_repair_of_the_catalogue_becomes_an_arm(study, capsys):
    assert main(["add", "consensus", "-C", str(study)]) == 0
    assert load_plan(study)["repairs"]["consensus"]["needs"] == "data/predictions.parquet"
    assert main(["add", "consensus", "--policy", "best", "-C", str(study)]) != 0
    assert "random images" in capsys.readouterr().err
