"""What the flow decides: which arms get more seeds, which stages exist, and how params and dvc.yaml are made."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from graphs import graph_of

from metricloop.cli.dry_run import _grouped
from metricloop.cli.reproduce import differences
from metricloop.data.seeds import parse_seeds
from metricloop.data.tables import UNSAFE
from metricloop.flows import decisions, improve
from metricloop.flows.decisions import boxes_control, more_seeds
from metricloop.llm.journal import Journal
from metricloop.params import check_params
from metricloop.runtime.code_digest import HOME
from metricloop.selection.policies import check_policy
from metricloop.study import processes
from metricloop.study.commits import WorkspaceError
from metricloop.study.environment import environment, set_by_options
from metricloop.study.graph import downstream, needed_for
from metricloop.study.looks import looks_of, record_looks
from metricloop.study.new_study import NewStudy, create, demo_plan, params_values, render_arms
from metricloop.study.plan import load_plan
from metricloop.study.refresh import wire_embeddings, wire_screens
from metricloop.study.rendering import align_comments, render, render_stages

LOOKS = [{"arms": 3, "baseline": 12, "alpha": 0.02}, {"arms": 8, "baseline": 18, "alpha": 0.03}]


def row(name, role="treatment", verdict="undecided", seeds=3, goes_on=False, boxes_ratio=1.0):
    return {
        "name": name, "role": role, "verdict": verdict, "seeds": list(range(seeds)), "goes_on": goes_on,
        "boxes_ratio": boxes_ratio, "gain": {"mAP": {"abs": 0.1}}, "policy": {"name": "best"},
    }  # fmt: skip


def comparison(*arms, baseline=12):
    return {"looks": LOOKS, "arms": [row("random", role="baseline", verdict=None, seeds=baseline), *arms]}


A = {"role": "treatment", "policy": {"name": "best"}, "b": "scores/a.parquet"}
PARAMS = check_params({"study": {"name": "x"}, "data": {"source": "y"}})


def plan(random="0-11", **arms):
    """A plan of the baseline and these arms, {name: (entry, seeds of its block)}."""
    entries = {name: entry for name, (entry, _) in arms.items()}
    blocks = {f"{name}.0": {"arm": name, "seeds": seeds} for name, (_, seeds) in arms.items()}
    return {
        "arms": {"random": {"role": "baseline", "policy": {"name": "random"}, "b": ""}} | entries,
        "blocks": {"random.0": {"arm": "random", "seeds": random}} | blocks,
    }


@pytest.mark.parametrize(
    ("arms", "have", "more"),
    [
        ([row("a", goes_on=True)], {"a": "0-2"}, [("random", "12-17"), ("a", "3-7")]),
        ([row("a")], {"a": "0-2"}, []),  # decided, or not ahead
        ([row("a", goes_on=True, seeds=8)], {"a": "0-7"}, []),  # the last look has been
        ([row("a", goes_on=True, role="control")], {"a": "0-2"}, [("random", "12-17"), ("a", "3-7")]),
        ([row("gone", goes_on=True)], {}, []),  # dropped from the plan
        ([row("a", goes_on=True)], {"a": "0-7"}, [("random", "12-17")]),  # its seeds are planned already
        ([row("a", goes_on=True)], {"a": "3-5"}, [("random", "12-17"), ("a", "0-2"), ("a", "6-7")]),
        ([row("a", seeds=1)], {"a": "4"}, [("a", "0-1")]),  # too few for the first look
        ([], {"a": "0-1"}, [("a", "2-2")]),  # without results yet
        ([], {}, []),
    ],
)
def test_arms_get_the_seeds_of_the_next_look_and_the_baseline_too(arms, have, more):
    assert more_seeds(comparison(*arms), plan(**{name: (A, seeds) for name, seeds in have.items()})) == more


def test_the_baseline_gets_its_first_look_and_no_seed_twice():
    going = comparison(row("a", goes_on=True))
    assert more_seeds(going, plan(random="0-17", a=(A, "0-2"))) == [("a", "3-7")]
    assert more_seeds(comparison(), plan(random="0-2")) == [("random", "3-8"), ("random", "9-11")]


def test_no_block_holds_more_than_six_seeds():
    long = comparison(row("a", goes_on=True)) | {"looks": [LOOKS[0], {"arms": 12, "baseline": 25, "alpha": 0.03}]}
    blocks = [("random", "12-17"), ("random", "18-23"), ("random", "24-24"), ("a", "3-8"), ("a", "9-11")]
    assert more_seeds(long, plan(a=(A, "0-2"))) == blocks


@pytest.mark.parametrize(
    ("arm", "needed"),
    [
        (row("a", verdict="better", boxes_ratio=1.2), True),
        (row("a", verdict="better", boxes_ratio=0.8), True),
        (row("a", verdict="better", boxes_ratio=1.1), False),
        (row("a", verdict="undecided", boxes_ratio=2.0), False),
    ],
)
def test_a_winner_with_other_box_counts_gets_a_control(arm, needed):
    made = boxes_control(comparison(arm), plan(a=(A, "0-2")))
    assert (made is not None) == needed
    if made:
        control = {"role": "control", "a": "data/images.parquet", "b": "subsets/a.parquet", "policy": {"name": "match"}}
        assert made["arms"] == {"a_boxes": control | {"automatic": True}}
        assert [block["seeds"] for block in made["blocks"].values()] == ["0-2"]
        assert boxes_control(comparison(arm), plan(a=(A, "0-2"), mine=(control, "0-2"))) is None
        other = control | {"b": "subsets/b.parquet"}
        assert list(boxes_control(comparison(arm), plan(a=(A, "0-2"), a_boxes=(other, "0-2")))["arms"]) == ["a_boxes_2"]


def test_the_looks_are_fixed_when_the_first_trial_has_run(tmp_path):
    create(tmp_path / "w", NewStudy(name="x", source="/y/z.json", root="/y"))
    params = check_params({"study": {"name": "x"}, "data": {"source": "y"}})
    later = check_params({"study": {"name": "x"}, "data": {"source": "y"}, "looks": {"arms": [3, 9]}})

    def planned(now):
        record_looks(tmp_path / "w", now)
        return [(look.arms, look.planned) for look in looks_of(load_plan(tmp_path / "w"), now)]

    assert planned(later) == [(3, True), (9, True)]
    assert planned(params) == [(3, True), (6, True)]  # nothing has run yet
    (tmp_path / "w" / "results" / "random.0").mkdir(parents=True)
    (tmp_path / "w" / "results" / "random.0" / "metrics.json").write_text("{}")
    assert planned(later) == [(3, True), (9, False)]
    assert planned(params) == [(3, True), (6, True)]
    one = check_params(
        {"study": {"name": "x"}, "data": {"source": "y"}, "looks": {"arms": [6], "baseline": [18], "alpha": [0.03]}}
    )
    assert planned(one) == [(6, False)]  # it was the second
    (tmp_path / "w" / "rounds.yaml").write_text("")
    assert planned(params) == [(3, False), (6, False)]  # nothing was recorded before the first trial


def test_the_roots_dvc_yaml_is_what_the_template_gives():
    """After the template has changed: python -P -m metricloop.study.refresh"""
    assert (HOME / "dvc.yaml").read_text() == render_stages(drawn=True)


@pytest.mark.parametrize("drawn", [True, False])
def test_dvc_yaml_is_valid_yaml_with_every_stage(drawn):
    stages = yaml.safe_load(render_stages(drawn=drawn))["stages"]
    assert ("draw" in stages) == drawn
    assert {"ingest", "predict", "score", "select", "train", "evaluate", "compare", "confirm"} <= set(stages)
    train = stages["train"]["do"]
    assert {"code.yaml": ["train"]} in train["params"]
    # a trial depends on its manifest, not on the rest of the pool
    assert train["deps"] == ["data/images.parquet", "data/categories.json", "subsets/${item.arm}.parquet"]


def test_dvc_yaml_has_embed_only_when_something_reads_embeddings():
    plain = render_stages(drawn=True)
    assert "embed" not in yaml.safe_load(plain)["stages"]
    wired = wire_embeddings(plain, True)
    assert list(yaml.safe_load(wired)["stages"])[2:5] == ["predict", "embed", "score"]
    assert wired == wire_embeddings(wired, True) == render_stages(drawn=True, embeds=True)
    assert wire_embeddings(wired, False) == plain
    own = wired.replace("metricloop.tasks.embed", "mine")  # a person's own
    assert wire_embeddings(own, False) == own


def test_dvc_yaml_has_screen_only_when_the_plan_has_screens():
    plain = render_stages(drawn=True)
    wired = wire_screens(plain, True)
    stages = yaml.safe_load(wired)["stages"]
    assert list(stages)[4:7] == ["select", "screen", "train"]
    assert "screening" in stages["compare"]["deps"]
    assert wired == wire_screens(wired, True) == render_stages(drawn=True, screens=True)
    assert wire_screens(wired, False) == plain == wire_screens(plain, False)
    assert wire_screens(wire_embeddings(plain, True), True) == render_stages(drawn=True, embeds=True, screens=True)
    own = wired.replace("metricloop.tasks.screen", "mine")  # a person's own
    assert wire_screens(own, False) == own


def test_init_refuses_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(WorkspaceError, match="not empty"):
        create(tmp_path, NewStudy(name="x", source="/y", root="/y"))


def test_differences_name_the_number():
    assert list(differences({"0": {"mAP": 0.5, "n": [1]}}, {"0": {"mAP": 0.5, "n": [1]}}, 0.0)) == []
    assert list(differences({"0": {"mAP": 0.5}}, {"0": {"mAP": 0.51}}, 0.0)) == ["0.mAP: recorded 0.5, now 0.51"]
    assert list(differences({"0": {"mAP": 0.5}}, {"0": {"mAP": 0.504}}, 0.005)) == []
    assert list(differences({"0": 1.0}, {}, 0.0)) == ["0: recorded 1.0, now None"]


def test_groups_read_well():
    assert _grouped(["ingest", "train@a", "train@b"]) == "ingest, train x2"


@pytest.mark.parametrize(
    ("plan", "controls"),
    [
        (NewStudy("x", "/y", "/y"), {"full"}),
        (NewStudy("x", "/y", "/y", corrupt="article"), {"oracle", "full"}),
        (demo_plan("x"), {"oracle"}),  # three trials more would be half a minute of six
        (
            NewStudy("x", "/y", "/y", corrupt="article", full=True),
            {"oracle", "relabelled", "full", "inverse", "box_matched"},
        ),
        (NewStudy("x", "/y", "/y", full=True), {"full", "inverse", "box_matched"}),  # nothing to be an oracle of
    ],
)
def test_arms_yaml_holds_the_controls_that_make_sense_and_a_block_for_every_arm(tmp_path, plan, controls):
    (tmp_path / "arms.yaml").write_text(render_arms(plan))
    made = load_plan(tmp_path)
    assert {name for name, arm in made["arms"].items() if arm["role"] == "control"} == controls
    assert list(dict.fromkeys(block["arm"] for block in made["blocks"].values())) == list(made["arms"])
    seeds = Counter(block["arm"] for block in made["blocks"].values() for _ in parse_seeds(block["seeds"]))
    assert seeds == dict.fromkeys(made["arms"], 3) | {"random": 12}
    for arm in made["arms"].values():
        check_policy(arm["policy"])


PLAN = {
    "batches": {
        "labels": {"needs": "data/images.parquet"},
        "model": {"needs": "data/predictions.parquet"},
    },
    "arms": {
        "matched": {"a": "data/images.parquet", "b": "subsets/count.parquet"},
        "random": {"a": "data/images.parquet", "b": "data/images.parquet"},
        "count": {"a": "scores/labels/object_count.parquet", "b": "scores/labels/object_count.parquet"},
        "agree": {"a": "scores/model/agree.parquet", "b": "scores/model/agree.parquet"},
    },
    "blocks": {"random.0": {"arm": "random"}, "count.0": {"arm": "count"}},
}
GRAPH = graph_of(PLAN, drawn=True)


def test_views_are_made_by_predict():
    plan = {"batches": {"again": {"needs": "data/views.parquet"}}, "arms": {}, "blocks": {}}
    assert graph_of(plan, drawn=False)["score@again"] == {"ingest", "predict"}


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        (["train@count.0"], ["train@count.0", "evaluate@count.0", "compare", "confirm"]),
        (["select@agree"], ["select@agree", "compare", "confirm"]),
        (
            ["score@labels"],
            [
                "score@labels",
                "select@count",
                "select@matched",
                "train@count.0",
                "evaluate@count.0",
                "compare",
                "confirm",
            ],
        ),
        (["draw"], list(GRAPH)),
        ([], []),
    ],
)
def test_a_change_makes_all_later_stages_out_of_date_and_no_others(changed, stale):
    assert downstream(GRAPH, changed) == stale


def test_one_arm_needs_its_own_chain_only():
    assert needed_for(GRAPH, ["select@matched"]) == ["draw", "ingest", "score@labels", "select@count", "select@matched"]
    assert needed_for(GRAPH, ["select@agree"]) == ["draw", "ingest", "predict", "score@model", "select@agree"]


def test_the_environment_of_stages_has_no_secrets(monkeypatch):
    for name in ("OPENAI_API_KEY", "PREFECT_API_AUTH_STRING", "DATABASE_URL", "PGPASSFILE", "GH_PAT"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    told = environment()
    assert "s3cret" not in told.values()
    assert told["OMP_NUM_THREADS"] == "1"
    assert Path(told["PATH"].split(os.pathsep)[0]) == Path(sys.executable).parent


def test_names_that_look_like_other_yaml_values_are_quoted(tmp_path):
    plan = NewStudy("1e3", "/data/lions #1", "/data/lions #1", categories=("no", "a, b"))
    values = yaml.safe_load(align_comments(render("params.yaml.j2", **params_values(plan))))
    params = check_params(values)
    assert (params.study.name, params.data.source, params.data.categories) == ("1e3", "/data/lions #1", ("no", "a, b"))


def test_a_workspace_inside_the_data_set_is_refused(tmp_path):
    with pytest.raises(WorkspaceError, match="lies inside the data set"):
        create(tmp_path / "w", NewStudy("x", str(tmp_path), str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_only_the_option_makes_a_stage_unsafe_not_the_environment(monkeypatch):
    monkeypatch.setenv(UNSAFE, "1")
    assert UNSAFE not in environment()
    monkeypatch.setitem(set_by_options, UNSAFE, "1")
    assert environment()[UNSAFE] == "1"


@pytest.mark.parametrize(
    ("given", "passed"),
    [("/a:/b", "/a:/b"), (":/a", "/a"), ("/a::.:lib", "/a"), (".", None), ("", None)],
)
def test_no_relative_folder_stands_before_the_installed_packages(monkeypatch, given, passed):
    monkeypatch.setenv("PYTHONPATH", given)
    assert environment().get("PYTHONPATH") == passed


def test_only_the_step_that_asks_a_model_gets_network_variables(monkeypatch, tmp_path):
    """The address of a proxy may hold a password, so stages do not get it."""
    way = {"HTTPS_PROXY": "http://me:s3cret@proxy:3128", "https_proxy": "http://proxy:3128",
           "NO_PROXY": "a", "no_proxy": "b", "SSL_CERT_FILE": "/c.pem", "SSL_CERT_DIR": "/c",
           "REQUESTS_CA_BUNDLE": "/r.pem"}  # fmt: skip
    for name, value in way.items():
        monkeypatch.setenv(name, value)
    told = []
    monkeypatch.setattr(processes.subprocess, "Popen", lambda command, **options: told.append(options["env"]) or none())

    def none():
        raise FileNotFoundError

    assert not way.keys() & environment().keys()
    for start in (
        lambda: processes.call(tmp_path, ["x"], "x"),
        lambda: processes.call_model_step(tmp_path, "metricloop.tasks.steps.suggest", 1),
    ):
        with pytest.raises(FileNotFoundError):
            start()
    assert not way.keys() & told[0].keys()
    assert {name: told[1][name] for name in way} == way
    assert told[1].keys() - told[0].keys() == way.keys() | {"METRICLOOP_KEYS"}


HIDING = """
import subprocess, sys
from metricloop.flows import improve
from metricloop.study.environment import hide_keys
from metricloop.sandbox.libc import drop_capabilities
drop_capabilities()  # root reads everything
hide_keys()
done = subprocess.run([sys.executable, "-P", "-c", sys.argv[1]], capture_output=True, text=True)
print(done.stdout or done.stderr)
"""
PEEKING = """
import os
from pathlib import Path
from metricloop.sandbox.libc import drop_capabilities
from metricloop.runtime.stage_start import _ancestors
drop_capabilities()
parent = Path(f"/proc/{os.getppid()}")
assert (parent / "cmdline").read_bytes() and _ancestors()[0] == os.getppid()  # what ties a stage to us stays open
print((parent / "environ").read_bytes().count(b"sk-s3cret"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc and prctl are Linux's")
@pytest.mark.parametrize(
    ("name", "seen"), [("OPENAI_API_KEY", "Permission denied"), ("METRICLOOP_API_HOST", "1"), ("OTHER", "1")]
)
def test_no_process_of_the_same_user_can_read_a_key_from_our_environment(name, seen):
    bare = {
        variable: value for variable, value in os.environ.items() if not variable.endswith(("_API_KEY", "_API_HOST"))
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", HIDING, PEEKING], env=bare | {name: "sk-s3cret", "PYTHONPATH": str(HOME)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(seen) or f"{seen}: " in done.stdout


def test_a_round_with_a_reflection_does_not_run_again(monkeypatch, tmp_path):
    journal, done = Journal(tmp_path), []
    journal.add("reflected", round=1, summary="", lessons=[], recorded=None)
    for name in ("model_step", "refresh_code", "experiments", "commit"):
        monkeypatch.setattr(improve, name, lambda *arguments, name=name: done.append((name, *arguments[1:])))
    params = PARAMS.model_copy(update={"llm": PARAMS.llm.model_copy(update={"provider": "openai", "rounds": 2})})
    improve.rounds(tmp_path, params)
    assert done == [
        ("model_step", "metricloop.tasks.steps.suggest", 2), ("refresh_code",), ("experiments", params),
        ("model_step", "metricloop.tasks.steps.reflect", 2), ("commit", "round 2"),
    ]  # fmt: skip


def test_a_study_that_changed_since_it_was_shown_is_not_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(decisions, "more_seeds", lambda *arguments: [])
    monkeypatch.setattr(decisions, "boxes_control", lambda *arguments: None)
    (tmp_path / "arms.yaml").write_text("arms: {}\n")
    for name in ("comparison.json", "report.html", "mlflow.db"):
        (tmp_path / name).write_text("{}")
    assert not decisions.nothing_left(tmp_path, PARAMS)  # never shown whole
    (tmp_path / ".metricloop").mkdir()
    for changed in ("confirmation.json", "journal.jsonl", "params.yaml", "dvc.lock", "metrics/trusted.yaml"):
        (tmp_path / ".metricloop/shown").write_text(decisions.state_of(tmp_path))
        assert decisions.nothing_left(tmp_path, PARAMS)
        (tmp_path / changed).parent.mkdir(exist_ok=True)
        (tmp_path / changed).write_text("")
        assert not decisions.nothing_left(tmp_path, PARAMS), changed
