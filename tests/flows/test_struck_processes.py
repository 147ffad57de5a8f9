"""DVC, a scoring worker, the steps, the flow: each killed at a write; the same command goes on to the same files."""

import os
import re
import shutil
import sys

import pytest
from damaging import copy
from personas import capable
from server import Server
from strike import FINAL, Victim, aim, end_all, events_of, finals, no_process_left, run, spare, temporary_files

from metricloop.llm.journal import read_journal
from metricloop.study.edit_params import change_params

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
ALL = os.environ.get("METRICLOOP_FAULTS") == "all"
ROUND = (*FINAL, "rounds.yaml", "metrics/generated")


SHORTER = {
    "flow": Victim(r"metricloop\.cli run"),
    "dvc": Victim(r"-m dvc (--wait-for-lock )?(repro|status)"),
    "report": Victim(r"steps\.report"),
    "track": Victim(r"steps\.track"),
}
MANY = {"worker": Victim(r"popen_loky_posix", r"^read source/images/")}
ASKING = {"suggest": Victim(r"steps\.suggest"), "reflect": Victim(r"steps\.reflect")}
GOES_ON = ("worker",)  # another worker takes what a killed one had to do
STUDIES = {"shorter": ("run", SHORTER), "many": ("score", MANY), "asking": ("run", ASKING)}


@pytest.fixture(scope="module")
def shorter(finished, tmp_path_factory):
    """The finished tiny study, with other trials to make."""
    folder = copy(finished, tmp_path_factory.mktemp("shorter") / "study")
    change_params(folder / "params.yaml", ["train.iterations=2"])
    return folder


@pytest.fixture(scope="module")
def many(finished, tmp_path_factory):
    """A study with so many pictures that workers score them, and a metric that has no scores yet."""
    folder = copy(finished, tmp_path_factory.mktemp("many") / "study")
    change_params(folder / "params.yaml", ["scenes.images=120", "score.jobs=2"])
    done = run(folder, "score")
    assert done.returncode == 0, done.stdout + done.stderr
    plan = (folder / "arms.yaml").read_text()
    (folder / "arms.yaml").write_text(plan.replace("metrics: [object_count]", "metrics: [object_count, sharpness]"))
    return folder


@pytest.fixture(scope="module")
def asking(finished, walls, tmp_path_factory):
    """The finished tiny study with a round of a language model to come."""
    folder = copy(finished, tmp_path_factory.mktemp("asking") / "study")
    with Server(capable) as server:
        llm = {
            "provider": "record", "base_url": server.base_url, "model": "stand-in", "max_cost": "null", "explore": 0,
            "suggestions": 2, "rounds": 1,
        }  # fmt: skip
        change_params(folder / "params.yaml", [f"llm.{name}={value}" for name, value in llm.items()])
        yield folder


@pytest.fixture(scope="module")
def undisturbed(request, tmp_path_factory):
    """Study -> events by victim, the files and the number of MLflow's runs, after a run that nobody disturbs."""
    known = {}

    def of(study):
        if study not in known:
            command, victims = STUDIES[study]
            folder = copy(request.getfixturevalue(study), tmp_path_factory.mktemp("undisturbed") / "study")
            aim(folder, victims)
            done = run(folder, command, METRICLOOP_API_KEY="none")
            assert done.returncode == 0, done.stdout + done.stderr
            spare(folder)
            events = {name: events_of(folder, name) for name in victims}
            known[study] = events, finals(folder, ROUND), runs_of(folder)
            shutil.rmtree(folder)
        return known[study]

    return of


def runs_of(folder):
    """How many runs MLflow shows: all as they should be, so that nothing is to be made or deleted."""
    said = run(folder, "track").stdout
    found = re.search(r"MLflow: 0 runs made, 0 deleted, (\d+) unchanged", said)
    return found and int(found[1])


def spread(count, few):
    """So many numbers from 1 to `count`, spread over them."""
    return sorted({round(1 + (k + 0.5) * (count - 1) / few) for k in range(few)})


@pytest.mark.parametrize(
    ("study", "name"), [(study, name) for study, (_, victims) in STUDIES.items() for name in victims]
)
def test_the_same_command_goes_on_to_the_same_files(request, undisturbed, tmp_path, study, name):
    """METRICLOOP_FAULTS=all: at twelve events of each, else at one."""
    command, victims = STUDIES[study]
    events, expected, runs = undisturbed(study)
    seen = events[name]
    assert seen
    wrong = {}
    for number in spread(len(seen), 12 if ALL else 1):
        where = f"{number} of {len(seen)}: {seen[number - 1]}"
        folder = copy(request.getfixturevalue(study), tmp_path / "study")
        try:
            aim(folder, victims, name, number)
            struck = run(folder, command, METRICLOOP_API_KEY="none")
            found = {"was not struck": len(events_of(folder, name)) < number, "left running": no_process_left(folder)}
            spare(folder)
            done = run(folder, command, METRICLOOP_API_KEY="none")
            found |= {
                "failed at once": name in GOES_ON and struck.returncode and struck.stdout + struck.stderr,
                "no failure": name not in GOES_ON and struck.returncode == 0,
                "said": "Traceback" in struck.stdout + struck.stderr and struck.stdout + struck.stderr,
                "failed": done.returncode and done.stdout + done.stderr,
                "differ": sorted(set(finals(folder, ROUND).items()) ^ set(expected.items())),
                "temporary": temporary_files(folder),
                "runs": runs_of(folder) != runs,
                "paid twice": study == "asking" and paid_twice(folder),
            }
        finally:
            end_all(folder)
            shutil.rmtree(folder)
        if found := {what: value for what, value in found.items() if value}:
            wrong[where] = found
        if record := os.environ.get("METRICLOOP_FAULTS_LOG"):
            with open(record, "a") as lines:
                lines.write(f"{name}\t{where}\t{found or 'held'}\n")
    assert not wrong


def paid_twice(folder):
    """Questions of the model that were answered more than once."""
    asked = [(e["round"], e["step"]) for e in read_journal(folder / "journal.jsonl") if e["event"] == "answered"]
    return sorted({one for one in asked if asked.count(one) > 1})
