"""Names of runs in Prefect, keys of artifacts, and what they hold; and the deployment of one study."""

import re

import pytest
import yaml
from study_fixture import comparison, make_study

from metricloop.cli.deploy import arguments
from metricloop.cli.main import main
from metricloop.flows import artifacts
from metricloop.flows.improve import confirm_label
from metricloop.params import check_params


class Run:
    """What prefect.runtime says of a run."""

    def __init__(self, flow_name="", **parameters):
        self.flow_name, self.parameters = flow_name, parameters


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("lions", "lions"),
        ("lions-2", "lions-2"),
        ("Lions 2, new", "lions-2-new-[0-9a-f]{6}"),
        ("Löwen_1", "l-wen-1-[0-9a-f]{6}"),
        ("…", "study-[0-9a-f]{6}"),
    ],
)
def test_a_key_has_the_letters_that_prefect_takes(name, key):
    assert re.fullmatch(key, artifacts.slug(name))


def test_no_two_studies_share_a_key():
    names = ["a-b", "a.b", "A_B", "a_b", "-a-b", "a--b"]
    assert len({artifacts.slug(name) for name in names}) == len(names)


def test_steps_are_named_in_words(monkeypatch):
    monkeypatch.setattr(artifacts, "task_run", Run(module="metricloop.tasks.steps.suggest", number=2))
    assert artifacts.step_name() == "suggest, round 2"
    monkeypatch.setattr(artifacts, "task_run", Run(module="metricloop.tasks.steps.report"))
    assert artifacts.step_name() == "report"


def test_flows_are_named_for_their_study(monkeypatch, tmp_path):
    (tmp_path / "params.yaml").write_text("study: {name: lions}\n")
    for run, name in (
        (Run("improve", workspace=str(tmp_path)), "improve lions"),
        (Run("experiment", workspace=str(tmp_path), arm="oracle"), "experiment lions arm oracle"),
        (Run("blocks", folder=tmp_path, chains={"a": [], "b": []}), "2 blocks of lions"),
        (Run("improve", workspace=str(tmp_path / "new")), "improve new"),  # the demo, which is still to be made
        (Run("takehome", workspace="", assignment="headlines"), "takehome takehome-headlines"),
    ):
        monkeypatch.setattr(artifacts, "flow_run", run)
        assert artifacts.flow_name() == name


def test_the_artifacts_of_a_study(monkeypatch, tmp_path):
    made = {}
    for kind in ("table", "markdown", "link"):
        monkeypatch.setattr(artifacts, f"create_{kind}_artifact", lambda *given, kind=kind: made.update({kind: given}))
    folder = make_study(tmp_path / "study")
    artifacts.show_study(folder)
    rows, key, _ = made["table"]
    assert key == "comparison-drawn"
    assert [row["arm"] for row in rows][:2] == ["random", "object_count"]
    assert len(rows) == len(comparison()["arms"])
    assert made["markdown"][0].startswith("**")
    assert made["link"][:2] == ((folder / "report.html").as_uri(), str(folder / "report.html"))


def test_the_deployment_of_a_study_names_its_folder_and_runs_once_at_a_time(tmp_path, capsys):
    assert main(["deploy", "-C", str(tmp_path)]) == 1
    assert "params.yaml" in capsys.readouterr().err
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(
        {"study": {"name": "lions"}, "data": {"source": "a", "root": "a"}}
    ))  # fmt: skip
    command = " ".join(arguments(tmp_path, "local", "0 3 * * *"))
    assert f"metricloop.flows.improve.improve --name lions --pool local --param workspace={tmp_path}" in command
    assert command.endswith("--tag lions --concurrency-limit 1 --cron 0 3 * * *")
    assert "--cron" not in arguments(tmp_path, "local", "")


@pytest.mark.parametrize(
    ("when", "label"),
    [
        ("never", "confirm: nothing to do, confirm.when is never"),
        ("better", "confirm, on the test split only where an arm is better"),
        ("always", "confirm on the test split"),
    ],
)
def test_a_confirmation_that_is_never_made_is_not_called_one(when, label):
    content = {"study": {"name": "x"}, "data": {"source": "."}, "confirm": {"when": when}}
    assert confirm_label(check_params(content)) == label
