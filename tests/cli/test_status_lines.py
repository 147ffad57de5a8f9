"""The lines of `metricloop status`: stages with the same reasons stand together, and each reason is in plain words."""

from metricloop.cli.status_lines import by_kind, reason_lines, status_lines
from metricloop.study.reasons import CODE, COMMAND, DATA, INPUT, LABELS, MISSING, NEVER, OUTPUT, PARAMETER, Reason
from metricloop.study.staleness import Staleness


def test_stages_of_one_kind_are_counted_when_there_are_many():
    names = ["ingest", *(f"select@{letter}" for letter in "abc"), *(f"train@{n}" for n in range(30))]
    assert by_kind(names) == "ingest, select (a, b, c), train (30)"


def test_stages_with_the_same_reason_stand_together_and_those_behind_them_wait(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    longer = [Reason(PARAMETER, "train.iterations", 250, 500)]
    found = Staleness(
        ["ingest", "train@a.0", "train@b.0", "evaluate@a.0", "evaluate@b.0", "compare"],
        ["train@a.0", "train@b.0"],
        ["evaluate@a.0", "evaluate@b.0", "compare"],
        {"train@a.0": longer, "train@b.0": longer},
    )
    assert status_lines(found) == [
        "up to date  ingest",
        "to do       train (a.0, b.0)",
        "            parameter train.iterations: 250 -> 500",
        "waits       evaluate (a.0, b.0), compare",
        "            these run only if what they read comes out different",
        "1 of 6 stages up to date, 2 to do, 3 waiting",
    ]


def test_a_stage_that_lacks_only_what_another_will_make_waits(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    why = {
        "train@a": [Reason(OUTPUT, "models/a", "1", MISSING)],
        "evaluate@a": [Reason(INPUT, "models/a", "1", MISSING)],
    }
    found = Staleness(["train@a", "evaluate@a"], ["train@a", "evaluate@a"], [], why)
    assert status_lines(found)[:3] == [
        "to do       train (a)",
        "            output missing: models/a",
        "waits       evaluate (a)",
    ]
    why["evaluate@a"] = [*why["evaluate@a"], Reason(CODE, "evaluate", "1", "2")]
    assert status_lines(found)[2] == "to do       evaluate (a)"


def test_stages_that_run_now_stand_apart(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    why = {"train@a": [Reason(OUTPUT, "models/a", "1", MISSING)]}
    lines = status_lines(Staleness(["train@a", "evaluate@a"], ["train@a"], ["evaluate@a"], why), ["train@a"])
    assert lines[:2] == ["runs now    train (a)", "waits       evaluate (a)"]


def test_each_reason_has_its_words():
    files = {"files": 960, "bytes": 7_000_000}
    reasons = [
        Reason(CODE, "metricloop/selection/policies/best.py"),
        Reason(CODE, "select", "1", "2"),
        Reason(PARAMETER, "data.labels", "", "labels/2.json"),
        Reason(PARAMETER, "study.seed", None, 1),
        Reason(COMMAND, "--direction", "higher", "lower"),
        Reason(DATA, "fingerprint.yaml", files, {"files": 961, "bytes": 7_100_000}),
        Reason(DATA, "fingerprint.yaml", None, files),
        Reason(LABELS, "data/boxes/pool.parquet", "1", "changed"),
        Reason(INPUT, "data/images.parquet", "1", MISSING),
        Reason(OUTPUT, "subsets/a.parquet", "1", MISSING),
        Reason(NEVER, ""),
    ]
    assert reason_lines(reasons) == [
        "code changed: metricloop/selection/policies/best.py, the stage's own",
        "parameter data.labels: empty -> labels/2.json",
        "parameter study.seed: not set -> 1",
        "plan, direction: higher -> lower",
        "data changed: 960 files, 7.0 MB -> 961 files, 7.1 MB",
        "data changed: unknown -> 960 files, 7.0 MB",
        "labels changed: data/boxes/pool.parquet",
        "input missing: data/images.parquet",
        "never ran",
        "output missing: subsets/a.parquet",
    ]


def test_a_long_list_of_reasons_is_cut_and_counted():
    lines = reason_lines([Reason(PARAMETER, f"x.{n}", 0, 1) for n in range(14)])
    assert (len(lines), lines[-1]) == (11, "and 4 more")
    assert reason_lines([Reason(OUTPUT, f"m/{n}", 0, MISSING) for n in range(7)]) == [
        "output missing: m/0, m/1, m/2, m/3, m/4 and 2 more"
    ]
