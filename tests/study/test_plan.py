"""arms.yaml and rounds.yaml are read as one plan; errors name the wrong entry."""

import pytest

from metricloop.study.plan import PlanError, add_block, entry_of, load_plan, write_rounds

ARMS = """
batches:
  labels: {code: metrics/catalogue, needs: data/images.parquet, metrics: [object_count]}
arms:
  random: {role: baseline, a: x, b: x, policy: {name: random}}
blocks:
  random.0: {arm: random, seeds: "0-2"}
"""
ROUNDS = """
arms:
  edges: {role: treatment, a: y, b: y, policy: {name: best}}
blocks:
  edges.0: {arm: edges, seeds: "0-2"}
"""


def test_both_files_make_one_plan(tmp_path):
    (tmp_path / "arms.yaml").write_text(ARMS)
    alone = load_plan(tmp_path)
    assert list(alone["arms"]) == ["random"]
    (tmp_path / "rounds.yaml").write_text(ROUNDS)
    plan = load_plan(tmp_path)
    assert list(plan["arms"]) == ["random", "edges"]
    assert plan["arms"]["edges"]["policy"] == {"name": "best"}
    assert plan["blocks"]["random.0"] == {"arm": "random", "seeds": "0-2"}
    assert list(plan["batches"]) == ["labels"]


@pytest.mark.parametrize(
    ("rounds", "message"),
    [
        ("arm: {}", r"rounds\.yaml: unknown section 'arm'; known: batches, repairs, arms, screens, blocks, looks"),
        ("arms: {random: {role: control, a: x, b: x, policy: {}}}", r"arms\.random is already in arms\.yaml"),
        ("batches: {x: {code: c, needs: n, metrics: glare}}", r"batches\.x: metrics is a list, such as \[glare\]"),
        ("arms: {new: {role: control, a: x, b: x, policy: best}}", r"arms\.new: policy has .* such as \{name: best\}"),
        ("arms: {new: {role: control, policy: {}}}", r"arms\.new lacks a, b"),
        (
            "blocks: {b: {arm: randon, seeds: 0-2}}",
            "no 'randon' among the arms.*named by block b.*did you mean 'random'",
        ),
        ("screens: {random: {arm: random, seeds: x}}", r"screens\.random: seeds must look like 0-2"),
        (
            "arms: {new: {role: control, a: x, b: x, policy: {name: best}}}\nscreens: {n: {arm: new, seeds: 38-39}}",
            r"screens: the baseline has no short trials; add random: \{arm: random",
        ),
    ],
)
def test_faults_are_named(tmp_path, rounds, message):
    (tmp_path / "arms.yaml").write_text(ARMS)
    (tmp_path / "rounds.yaml").write_text(rounds)
    with pytest.raises(PlanError, match=message):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    ("rounds", "message"),
    [
        (
            "arms: {'x; rm -rf /': {role: treatment, a: y, b: y, policy: {}}}",
            r"arms\.'x; rm -rf /': a name consists of",
        ),
        ('arms: {"x\\n": {role: treatment, a: y, b: y, policy: {}}}', r"arms\.'x\\n': a name consists of"),
        ("batches: {$(id): {code: x, needs: y, metrics: []}}", r"batches\.'\$\(id\)': a name consists of"),
        ("blocks: {--arm: {arm: random, seeds: 0-2}}", r"blocks\.'--arm': a name consists of"),
        ("blocks: {.x: {arm: random, seeds: 0-2}}", r"blocks\.'\.x': a name consists of"),
        (
            "batches: {b: {code: x, needs: y, metrics: [m, a b]}}",
            r"batches\.b: the metric 'a b' is not",
        ),
        (
            "batches: {b: {code: x, needs: y, metrics: [../m]}}",
            r"batches\.b: the metric '\.\./m' is not",
        ),
        (
            "batches: {b: {code: x, needs: y, metrics: [m], '; id': z}}",
            r"batches\.b has unknown keys '; id'; known: code, needs",
        ),
        ("arms: {x: {role: treatment, a: y, b: y `id`, policy: {}}}", r"arms\.x: b must be a file .* found 'y `id`'"),
        ("arms: {x: {role: treatment, a: -y, b: y, policy: {}}}", r"arms\.x: a must be a file .* found '-y'"),
    ],
)
def test_names_that_a_shell_would_interpret_are_refused(tmp_path, rounds, message):
    (tmp_path / "arms.yaml").write_text(ARMS)
    (tmp_path / "rounds.yaml").write_text(rounds)
    with pytest.raises(PlanError, match=rf"rounds\.yaml: {message}"):
        load_plan(tmp_path)


def test_names_and_files_that_people_use_are_fine(tmp_path):
    (tmp_path / "arms.yaml").write_text(
        "batches: {labels: {code: /elsewhere/my file.py, needs: data/images.parquet, metrics: [Object2]}}\n"
        "arms: {Random-2.x: {role: baseline, a: ../ä/x.parquet, b: /x, policy: {name: random}}}\n"
        "blocks: {Random-2.x.0: {arm: Random-2.x, seeds: 0-2}, 7: {arm: Random-2.x, seeds: 3}}\n"
    )
    plan = load_plan(tmp_path)
    assert list(plan["arms"]) == ["Random-2.x"]
    assert list(plan["blocks"]) == ["Random-2.x.0", 7]


def test_empty_files_and_sections_are_legal(tmp_path):
    (tmp_path / "rounds.yaml").write_text("")
    (tmp_path / "arms.yaml").write_text("arms:\nblocks:\n")
    assert load_plan(tmp_path) == {"batches": {}, "repairs": {}, "arms": {}, "screens": {}, "blocks": {}, "looks": {}}


def test_a_folder_without_a_plan_is_no_workspace(tmp_path):
    with pytest.raises(PlanError, match="not a workspace"):
        load_plan(tmp_path)


def test_the_error_for_an_unknown_entry_lists_the_known_ones():
    with pytest.raises(PlanError, match=r"no 'zzz' among the arms.*known: random"):
        entry_of({"arms": {"random": {}}}, "arms", "zzz")


def test_a_round_is_added_to_rounds_yaml_and_earlier_entries_stay(tmp_path):
    (tmp_path / "arms.yaml").write_text(ARMS)
    (tmp_path / "rounds.yaml").write_text("batches: {}\narms: {}\nblocks:\n")
    arm = {"role": "treatment", "a": "y", "b": "y", "policy": {"name": "among", "share": 0.45}}
    write_rounds({"arms": {"edges": arm}}, tmp_path)
    write_rounds({"arms": {"other": arm}, "blocks": {"edges.0": {"arm": "edges", "seeds": "0-2"}}}, tmp_path)
    plan = load_plan(tmp_path)
    assert plan["arms"]["edges"] == plan["arms"]["other"] == arm
    assert list(plan["blocks"]) == ["random.0", "edges.0"]
    assert (tmp_path / "arms.yaml").read_text() == ARMS


def test_a_further_block_gets_the_next_free_number(tmp_path):
    (tmp_path / "arms.yaml").write_text(ARMS)
    add_block(tmp_path, "random", "3-5")
    add_block(tmp_path, "random", "6-8")
    assert load_plan(tmp_path)["blocks"]["random.1"] == {"arm": "random", "seeds": "3-5"}
    assert load_plan(tmp_path)["blocks"]["random.2"] == {"arm": "random", "seeds": "6-8"}
