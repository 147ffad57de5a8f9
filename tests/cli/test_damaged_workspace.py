"""Commands in a workspace with one damaged file: one line that says what, where and how to mend it; nothing is lost."""

import os
import shutil

import pytest
from damaging import DAMAGES, copy, digests, follow, ordinary_rights, told_commands
from journal_fixture import write_journal

from metricloop.cli.main import main
from metricloop.runtime.damaged_files import BY_HAND

FILES = (
    "params.yaml", "arms.yaml", "rounds.yaml", "dvc.yaml", "dvc.lock", "code.yaml", "brief.md",
    "metrics/catalogue.yaml", "comparison.json", "confirmation.json", "finalists.json", "metrics.json",
    "opened.jsonl", "journal.jsonl",
    "mlflow.db", "report.html", "data/images.parquet", "data/boxes/pool.parquet", "data/boxes/search.parquet",
    "data/truth.parquet", "data/categories.json", "data/summary.json", "data/problems.csv", "data/predictions.parquet",
    "data/views.parquet", "scores/labels/object_count.parquet", "scores/labels/trust.json", "subsets/random.parquet",
    "models/random.0/seed_0.pt", "models/random.0/history.parquet", "models/random.0/recipe.json",
    "results/random.0/metrics.json", "results/random.0/recipe.json", "results/random.0/predictions.parquet",
    "results/random.0/matches.parquet", "numbers/random.json", "plots/gains.csv", "audit/audit.json",
    "promoted/aliases.json", "labels/judged.json", ".metricloop/run.json", ".metricloop/shown",
    ".metricloop/environment", ".metricloop/cache/code.json", ".metricloop/cache/sums.json",
    ".metricloop/rates/seconds.json", ".metricloop/rates/random.0.parquet",
)  # fmt: skip
COMMANDS = {
    "status": "status -C {}",
    "status --json": "status -C {} --json",
    "compare": "compare -C {} --notes",
    "compare --json": "compare -C {} --json",
    "compare --confirmed": "compare -C {} --confirmed",
    "scorecard": "scorecard {}",
    "learn": "learn {}",
    "suggest": "suggest -C {} --dry-run",
    "export": "export object_count {}/../subset -C {}",
    "export suspicious": "export suspicious {}/../suspicious.json -C {}",
    "add": "add box_tightness -C {}",
    "add control": "add full -C {}",
    "adopt": "adopt tightness --yes -C {}",
    "relocate": "relocate {}/source -C {}",
    "fix": "fix {}/marks.json --dry-run -C {}",
    "import-labels": "import-labels {}/marks.json -C {}",
    "run unknown arm": "run --arm nobody -C {}",
    "bundle": "bundle {}/../bundle -C {}",
    "predict": "predict {} {}/source",
}
SLOW_COMMANDS = {
    "run --dry-run": "run -C {} --dry-run",
    "report": "report -C {}",
    "track": "track -C {}",
    "audit": "audit -C {} --no-training",
    "mend": "mend consensus -C {}",
    "try": "try {}/mine.py -C {}",
    "score": "score -C {}",
    "doctor": "doctor -C {}",
    "promote": "promote -C {}",
    "reproduce": "reproduce random.0 -C {}",
}
SAMPLE = [
    ("comparison.json", "half", "compare"),
    ("comparison.json", "other_type", "scorecard"),
    ("comparison.json", "folder", "compare --json"),
    ("confirmation.json", "garbage", "compare --confirmed"),
    ("confirmation.json", "unreadable", "compare --confirmed"),
    ("params.yaml", "missing", "status"),
    ("params.yaml", "folder", "compare"),
    ("arms.yaml", "other_type", "add"),
    ("arms.yaml", "garbage", "status"),
    ("rounds.yaml", "missing", "add"),
    ("dvc.lock", "half", "status"),
    ("dvc.yaml", "folder", "status --json"),
    ("data/summary.json", "empty", "status"),
    ("data/categories.json", "other_type", "export"),
    ("data/images.parquet", "half", "export"),
    ("data/boxes/pool.parquet", "unreadable", "export"),
    ("subsets/random.parquet", "garbage", "suggest"),
    ("journal.jsonl", "garbage", "scorecard"),
    ("opened.jsonl", "garbage", "compare --confirmed"),
    (".metricloop/cache/sums.json", "other_type", "status"),
    (".metricloop/run.json", "folder", "status"),
    ("audit/audit.json", "empty", "export suspicious"),
]  # fmt: skip
known = {}  # what commands say in the whole workspace
FINISHED = ("models", "results", "subsets", "scores", "data", "comparison.json", "confirmation.json", "journal.jsonl")


@pytest.fixture(scope="module")
def whole(finished, tmp_path_factory):
    """The finished tiny study, and what it has not: a model's journal, an audit, aliases, remembered marks."""
    folder = copy(finished, tmp_path_factory.mktemp("damaged") / "tiny")
    write_journal(folder)
    (folder / "mine.py").write_text("")
    for name in (*FILES, "marks.json"):
        if not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("{}")
    return folder


@pytest.fixture
def place(whole):
    """Where each case puts its copy: always the same folder, so that what a command says can be compared."""
    yield whole.parent / "case" / "study"
    shutil.rmtree(whole.parent / "case", ignore_errors=True)


def give(line, folder, capfd):
    """Exit status, standard output and standard error of a command line, given in this process."""
    with ordinary_rights():
        status = main(line.replace("{}", str(folder)).split())
    return status, *capfd.readouterr()


def usual(whole, place, capfd, line):
    """What a command says in the whole workspace."""
    if (whole, line) not in known:
        known[whole, line] = give(line, copy(whole, place), capfd)
        shutil.rmtree(place.parent)
    return known[whole, line]


def check(whole, place, capfd, file, damage, command):
    """One cell of the table. A command that fails names the file, and a command line; what is finished stays."""
    line = (COMMANDS | SLOW_COMMANDS)[command]
    expected = usual(whole, place, capfd, line)
    folder = copy(whole, place)
    try:
        DAMAGES[damage](folder / file)
        before = digests(folder, *FINISHED)
        status, out, err = give(line, folder, capfd)
        after = digests(folder, *before)
    finally:
        shutil.rmtree(place.parent)
    assert "Traceback" not in out + err, err
    assert after == before
    if status != 0 and (status, err) != (expected[0], expected[2]):
        assert file in err, err
        assert told_commands(err) or file in BY_HAND, err
        assert len(err.strip().splitlines()) <= 3 or file in BY_HAND, err  # there every mistake has its line


@pytest.mark.parametrize(("file", "damage", "command"), SAMPLE)
def test_a_damaged_file_is_named_with_its_mend_and_nothing_is_lost(whole, place, capfd, file, damage, command):
    check(whole, place, capfd, file, damage, command)


@pytest.mark.faults
@pytest.mark.parametrize("command", [*COMMANDS, *SLOW_COMMANDS])
def test_every_file_damaged_in_every_way(whole, place, capfd, command):
    """METRICLOOP_FAULTS=all: all of the table, which takes an hour; else a part that is spread over it."""
    cells = [(file, damage) for file in FILES for damage in DAMAGES]
    step = 1 if os.environ.get("METRICLOOP_FAULTS") == "all" else 61 if command in COMMANDS else 160
    wrong = {}
    for file, damage in cells[len(command) % step :: step]:
        try:
            check(whole, place, capfd, file, damage, command)
        except Exception as error:
            wrong[file, damage] = f"{type(error).__name__}: {error}"
    assert not wrong


@pytest.mark.parametrize(
    ("file", "damage", "command"),
    [
        ("comparison.json", "folder", "compare"),
        ("confirmation.json", "unreadable", "compare --confirmed"),
        ("dvc.lock", "garbage", "status"),
        ("arms.yaml", "missing", "status"),
    ],
)
def test_what_a_message_tells_to_do_mends_the_file(whole, place, capfd, file, damage, command):
    expected = usual(whole, place, capfd, COMMANDS[command])
    folder = copy(whole, place)
    DAMAGES[damage](folder / file)
    follow(told_commands(give(COMMANDS[command], folder, capfd)[2])[0])
    assert give(COMMANDS[command], folder, capfd) == expected
