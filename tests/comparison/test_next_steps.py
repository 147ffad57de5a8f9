"""Every situation that a comparison can end in leads to a sentence and a command that the command line takes."""

import io
import shlex
from pathlib import Path

import pytest
import typer
from rich.console import Console
from study_fixture import arm, arms, comparison

from metricloop.cli.main import app
from metricloop.comparison.background import Background
from metricloop.comparison.bottleneck import bottleneck, bottleneck_text, may_go_on, share_of_images
from metricloop.comparison.comparison_table import print_table
from metricloop.comparison.next_steps import next_steps
from metricloop.comparison.pace import Pace
from metricloop.comparison.table_notes import scored_notes
from metricloop.comparison.verdict import summarise
from metricloop.comparison.whole_pool import dropping, dropping_text, enough_iterations, passes

BASELINE, ORACLE = arms()[0], arms()[3]
HERE = Path("/studies/my lions")
LAST = {"looks_taken": 2}
IMAGES = {"noise": {"arm": 0.01, "baseline": 0.01, "image": 0.5}}  # .5^2 / 400 = 6.2e-4, against 2e-4 / 3 of trials


def one(verdict, gain, name="tight", **options):
    return arm(name, "treatment", 0.231 + gain, gain, verdict, metric=name, **options)


def full(gain, half=0.01, verdict="better"):
    return arm("full", "control", 0.231 + gain, gain, verdict, half=half, policy="full", images=32)


def lead(value, half=0.01):
    change = {"abs": value, "rel": value / 0.3, "ci95": [value - half, value + half], "p": 0.01}
    return {"lead_over_full": change}


def trained(iterations, batch_size=8):
    return {"trained": {"iterations": iterations, "batch_size": batch_size}}


def poor(entry):
    return entry | {"mAP": entry["mAP"] | {"mean": 0.078}}


def with_boxes(control_lead, half=0.03):
    change = {"abs": control_lead, "rel": 0.1, "ci95": [control_lead - half, control_lead + half], "p": 0.3}
    control = arm("as_many", "control", 0.25, 0.02, "undecided", policy="match", matches="tight", lead_over_it=change)
    return [BASELINE, one("better", 0.07, boxes_ratio=1.31), control]


AHEAD = one("undecided", 0.03, needed=[9, 14], seeds=6)  # t = 2
BASE6 = arm("random", "baseline", 0.231, None, None, policy="random", seeds=6)
C = "-C '/studies/my lions'"

# situation, arms, changes of the comparison, of the background, text of the first step, its command, its trials
SITUATIONS = [
    ("mixed", [BASELINE, one("better", 0.07)], {}, {"old_labels": ("random", "tight", "gone")},
     "Train random and tight again, because labels have changed since", f"run {C}", 6),
    ("mixed", [BASELINE, *(one("better", 0.07, name=name) for name in "abc")], {},
     {"old_labels": ("random", "a", "b", "c")},
     "Train 4 arms again, because labels have changed since", f"run {C}", 12),
    ("unfinished", [BASELINE, one("undecided", 0.03, goes_on=True)], {}, {},
     "Go on with the study, which is not finished", f"run {C}", 6),  # 3 of tight, and 3 of random
    ("unfinished", [BASELINE, one("undecided", 0.03)], {"family": {"treatment": 3, "control": 0}}, {},
     "Go on with the study, which is not finished", f"run {C}", 6),  # 3 of each of the other two
    ("added", [BASELINE, one("better", 0.07)], {}, {"planned": ("random", "tight", "full")},
     "Run full, which was added and has no results", f"run {C}", 3),
    ("added", [BASELINE, one("undecided", 0.001)], {"screened": [{"name": "a", "mAP": 0.1, "baseline": 0.12}],
     "family": {"treatment": 2, "control": 0}}, {"planned": ("a", "b", "c")},
     "Run b and c, which were added and have no results", f"run {C}", 6),
    ("boxes_control", [BASELINE, one("better", 0.07, boxes_ratio=1.31)], {}, {},
     "Find out whether the number of boxes explains the gain of tight", f"run {C}", 3),
    ("boxes", with_boxes(0.01), {}, {},
     "The gain may be one of boxes, not of choice: see what 33\u00a0% of the images give, chosen anew",
     f"run {C} --set study.budget=0.33", 9),
    ("confirm", [BASELINE, one("better", 0.07)], {}, {},
     "Confirm it on the test split, which opens once", f"run {C}", 24),
    ("confirm_never", [BASELINE, one("better", 0.07)], {}, {"confirms": None},
     "Confirm it on the test split, which opens once", f"run {C} --set confirm.when=better", 24),
    ("promote", [BASELINE, one("better", 0.07)], {}, {"tested": "better"},
     "Use it: train the detector of tight", f"promote {C}", 3),
    ("export", [BASELINE, one("better", 0.07)], {}, {"tested": "better", "promoted": True},
     "Train your own detector: its images and labels as a folder, with val and data.yaml",
     f"export tight tight-data {C}", 0),
    ("tested", [BASELINE, one("better", 0.07)], {}, {"tested": "undecided"},
     "Be careful: the test split does not show this gain", f"compare {C} --confirmed", 0),
    ("whole_longer", [BASELINE, one("undecided", 0.01), full(-0.05, verdict="worse")], trained(60), {},
     "Train long enough for the whole pool (full) to show what it can", f"run {C} --set train.iterations=120", 9),
    ("drop_nothing", [BASELINE, one("better", 0.07, **lead(-0.02)), full(0.09)], {}, {"tested": "better"},
     "All images are better than a subset: train on full for use", f"promote full {C}", 3),
    ("seeds", [BASE6, AHEAD], LAST, {},
     "9 to 14 seeds would probably decide tight; a look that was not planned is marked: its verdicts have no "
     "guarantee",
     f"run {C} --set 'looks.arms=[3,6,9]' 'looks.baseline=[3,6,9]' 'looks.alpha=[0.02,0.03,0.03]'", 6),
    ("images", [BASE6, one("undecided", 0.03, seeds=6)], LAST | IMAGES, {},
     "Compare on about 800 in place of 400 search images, to find a gain of +0.056 mAP four times in five, and not "
     "only +0.077; every arm is trained anew", f"run {C} --set data.search_share=0.3", 12),
    ("images_given", [BASE6, one("undecided", 0.03, seeds=6)], LAST | IMAGES, {"drawn_split": False},
     "Compare on more than 400 search images: add labelled images to the split val of your data, then", f"run {C}", 12),
    ("images_given", [BASE6, one("undecided", 0.03, seeds=6)], LAST | IMAGES,
     {"drawn_split": False, "val_place": "a folder named val"},
     "Compare on more than 400 search images: add labelled images to the split val of your data (a folder named val), "
     "then", f"run {C}", 12),
    ("undertrained", [poor(BASE6), AHEAD], LAST, {"iterations": 20},
     "Train longer: mAP 0.078 of random says that the detector has hardly learnt",
     f"run {C} --set train.iterations=80", 12),
    ("budget", [BASELINE, one("undecided", 0.001, half=0.01), full(0.05, verdict="undecided")], {}, {},
     "More images help more than choosing them: compare at 50\u00a0% of the pool",
     f"run {C} --set study.budget=0.5", 9),
    ("add_full", [BASELINE, one("undecided", 0.001, half=0.01)], {}, {},
     "Find out whether anything should be dropped at all: add the whole pool as a control, then run",
     f"add full {C}", 3),
    ("audit", [BASELINE, one("undecided", 0.001, half=0.01), full(0.0, verdict="undecided")], {}, {},
     "See whether labels should be repaired instead of images dropped", f"audit {C}", 2),
    ("audit", [BASELINE, one("worse", -0.05), full(0.0, verdict="undecided")], {}, {},
     "See whether labels should be repaired instead of images dropped", f"audit {C}", 2),
    ("repair", [BASELINE, one("worse", -0.05), full(0.0, verdict="undecided")], {}, {"audited": True},
     "Repair the labels that look wrong: mark them in audit/audit.html, save the marks, then",
     f"fix marks.json {C}", 0),
    ("audit_again", [BASELINE, one("worse", -0.05), full(0.0, verdict="undecided")], {},
     {"audited": True, "audit_old": True},
     "See what labels still look wrong: they changed after the audit, so audit again", f"audit {C}", 2),
    ("promote_again", [BASELINE, one("better", 0.07)], {},
     {"tested": "better", "promoted": True, "promoted_before": "30 iterations (now 120)"},
     "Train the detector of tight anew: the promoted one had 30 iterations (now 120)", f"promote {C}", 3),
    ("audit", [BASELINE, full(0.0, verdict="undecided")],
     {"screened": [{"name": "a", "mAP": 0.1, "baseline": 0.12}]}, {},
     "See whether labels should be repaired instead of images dropped", f"audit {C}", 2),
    ("metrics", [BASELINE], {}, {"audited": True}, None, None, None),
]  # fmt: skip


def test_the_whole_pool_is_not_advised_again_once_it_is_planned():
    undecided = comparison([BASELINE, one("undecided", 0.001, half=0.01)])
    steps = next_steps(undecided, Background(HERE, full_planned=True))
    assert "add_full" not in [step.situation for step in steps]


@pytest.mark.parametrize(("situation", "entries", "changes", "known", "text", "command", "trials"), SITUATIONS)
def test_each_situation_has_a_sentence_and_a_command(situation, entries, changes, known, text, command, trials):
    steps = next_steps(comparison(entries, **changes), Background(HERE, **known))
    assert 1 <= len(steps) <= 3
    assert situation in [step.situation for step in steps]
    if text is not None:
        assert (steps[0].situation, steps[0].text) == (situation, text)
        assert (steps[0].command, steps[0].trials) == (f"metricloop {command}", trials)
    assert len({step.command for step in steps}) == len(steps)


def test_the_table_covers_every_situation():
    source = Path(next_steps.__code__.co_filename).read_text()
    named = {line.split('"')[1] for line in source.splitlines() if '_step(background, "' in line}
    named |= {line.split('Step("')[1].split('"')[0] for line in source.splitlines() if 'yield Step("' in line}
    assert named == {row[0] for row in SITUATIONS}


@pytest.mark.parametrize("row", SITUATIONS, ids=lambda row: row[0])
def test_every_command_that_is_advised_can_be_typed(row):
    """Parsed as typed, by typer, and nothing is run; the folder arrives whole."""
    _, entries, changes, known, *_ = row
    group = typer.main.get_command(app)
    for step in next_steps(comparison(entries, **changes), Background(HERE, **known)):
        program, name, *arguments = shlex.split(step.command)
        assert program == "metricloop"
        command = group.commands[name]
        with command.make_context(name, arguments) as context:
            assert context.params.get("folder") in (HERE, Path()) if name == "score" else HERE


PACE = Pace(30, 10, 2, block=20, kinds={"ingest": 40, "score": 10, "select": 10, "compare": 5}, around=35)


def test_the_time_is_a_range_for_the_whole_run_by_what_this_study_took():
    """12 trials are 4 blocks: 2 x (20 s + 3 x 40 s) side by side = 280 s; with compare and what is around it 320 s."""
    assert PACE.of_run(12) == pytest.approx((0.75 * 320, 1.5 * 320))
    assert PACE.of_run(12, "select") == pytest.approx((0.75 * 330, 1.5 * 330))
    assert PACE.of_run(12, "ingest", times=2) == pytest.approx((0.75 * 560, 1.5 * 560))  # 12 x 30 / 2 s more to train
    assert PACE.of_run(3) == pytest.approx((0.75 * 180, 1.5 * 180))  # one block trains in one process
    assert PACE.of_trials(3) == pytest.approx((0.75 * 90, 1.5 * 90))  # promote: side by side, and no run


def test_a_step_tells_how_long_its_command_takes():
    won = comparison([BASELINE, one("better", 0.07)])
    (step, *_) = next_steps(won, Background(HERE, pace=PACE, tested="better"))
    assert step.sentence == "Use it: train the detector of tight (3 trials, 68 s to 2 min)"
    longer = next_steps(comparison([poor(BASE6), AHEAD], **LAST), Background(HERE, pace=PACE))
    assert longer[0].sentence.endswith("(12 trials, 11 to 22 min)")  # 4 times 30 s: 280 + 540 + 40 = 860 s
    wider = next_steps(
        comparison([BASE6, one("undecided", 0.03, seeds=6)], **LAST, **IMAGES), Background(HERE, pace=PACE)
    )
    assert wider[0].seconds == pytest.approx((0.75 * 380, 1.5 * 380))  # ingest, score and select too
    untimed = next_steps(comparison([poor(BASE6), AHEAD], **LAST), Background(HERE))
    assert untimed[0].sentence.endswith("(12 trials)")


def test_no_more_seeds_than_a_study_may_have_are_advised():
    hopeless = one("undecided", 0.03, needed=[41, None], seeds=6)
    assert "seeds" not in [
        step.situation for step in next_steps(comparison([BASE6, hopeless], **LAST), Background(HERE))
    ]


def test_an_arm_that_stopped_is_not_advised_more_seeds():
    """Another look gives seeds to arms that are ahead by half a standard error and were not stopped before."""
    behind = one("undecided", 0.007, "behind", needed=[9, 14], seeds=6)  # t = .47
    stopped = one("undecided", 0.03, "stopped", needed=[9, 14], seeds=3)
    found = comparison([BASE6, AHEAD, behind, stopped], **LAST)
    assert [row["name"] for row in may_go_on(found)] == ["tight"]


def test_the_bottleneck_follows_the_parts_of_the_error():
    """Noise .014, .02 and .2: trials .014^2 / 3 + .02^2 / 3 = .000199, images .2^2 / 400 = .0001, so 67 % are seeds."""
    found = comparison([BASELINE, one("undecided", 0.03)])
    assert share_of_images(found) == pytest.approx(0.0001 / (0.0001 + 0.000196 / 3 + 0.0004 / 3))
    assert bottleneck(found) == "seeds"
    assert bottleneck_text(found) == (
        "The bottleneck is the seeds: 67\u00a0% of the squared error of a gain comes from them, the rest from the "
        "choice of the 400 search images."
    )
    reachable = comparison([BASELINE, one("undecided", 0.03, needed=[9, 14])]) | {"search_images": 20}
    assert bottleneck(reachable) == "seeds"
    assert bottleneck_text(reachable).startswith("More seeds can still decide, though 91\u00a0% of the squared error")
    few = found | {"search_images": 20}
    assert bottleneck(few) == "images"
    assert bottleneck_text(few).startswith("The bottleneck is the 20 search images (they make 91\u00a0%")
    steady = [row | {"mAP": row["mAP"] | {"sd": 0.001}} for row in (BASELINE, one("undecided", 0.09))]
    assert bottleneck_text(comparison(steady)).startswith("The bottleneck is the 400 search images (they make 100")
    assert "squared error of tight's gain" in bottleneck_text(comparison(steady))  # its own error, not the usual one
    assert bottleneck(comparison([poor(BASELINE), one("undecided", 0.03)])) == "training"
    assert "it reaches mAP 0.078 only" in bottleneck_text(comparison([poor(BASELINE), one("undecided", 0.03)]))
    assert bottleneck(comparison([BASELINE, one("better", 0.07)])) is None
    assert bottleneck_text(comparison([BASELINE])) == ""


ALL = "train on all of them where you can"
OPEN = "not decided; it costs at most"


@pytest.mark.parametrize(
    ("entries", "word", "said"),
    [
        ([one("undecided", 0.01), full(0.05)], "costs", f"no, that costs 0.040 to 0.060 mAP; {ALL}"),
        ([one("undecided", 0.01), full(0.005)], "open", f"{OPEN} 0.015 mAP and gains at most 0.005"),
        ([one("better", 0.07, **lead(0.02)), full(0.05)], "pays", "yes, that gains 0.010 to 0.030 mAP"),
        ([one("better", 0.07, **lead(-0.02)), full(0.09)], "costs", f"no, that costs 0.010 to 0.030 mAP; {ALL}"),
        # at the borders: 0 itself is open, and the words name a number that is next to nothing on either side of it
        ([one("better", 0.07, **lead(0.0101)), full(0.05)], "pays", "yes, that gains 0.000 to 0.020 mAP"),
        ([one("better", 0.07, **lead(0.01)), full(0.05)], "open", f"{OPEN} 0.000 mAP and gains at most 0.020"),
        ([one("better", 0.07, **lead(-0.01)), full(0.05)], "open", f"{OPEN} 0.020 mAP and gains at most 0.000"),
        ([one("better", 0.07, **lead(-0.0101)), full(0.05)], "costs", f"no, that costs 0.000 to 0.020 mAP; {ALL}"),
        # just inside the smallest gain of interest, .02, the same words as just outside
        ([one("better", 0.07, **lead(-0.0099)), full(0.05)], "open", f"{OPEN} 0.020 mAP and gains at most 0.000"),
    ],
)
def test_the_whole_pool_says_whether_to_drop_anything(entries, word, said):
    found = comparison([BASELINE, *entries])
    assert dropping(found) == word
    assert dropping_text(found).endswith(f": {said}.")
    assert dropping_text(found) in summarise(found).details


NOT_KNOWN = "Should anything be dropped? That is not known: "


@pytest.mark.parametrize("iterations", [None, 20, 60, 6000])
def test_a_random_subset_is_never_said_to_be_better_than_the_whole_pool(iterations):
    changes = trained(iterations) if iterations else {}
    found = comparison([BASELINE, one("undecided", 0.01), full(-0.05, verdict="worse")], **changes)
    assert dropping(found) == "short"
    assert dropping_text(found).startswith(NOT_KNOWN)
    assert "yes" not in dropping_text(found)


@pytest.mark.parametrize(
    ("iterations", "gain", "word"),
    [
        (48, 0.02, "pays"),  # 48 x 8 / 32 = 12 passes
        (47, 0.02, "short"),
        (47, 0.0, "short"),  # no difference is no proof either
        (47, -0.02, "costs"),  # longer training would only add to the lead of the whole pool
        (48, 0.0, "open"),
    ],
)
def test_a_subset_that_wins_says_nothing_while_the_whole_pool_is_not_trained_to_its_end(iterations, gain, word):
    assert (
        dropping(comparison([BASELINE, one("better", 0.07, **lead(gain)), full(0.05)], **trained(iterations))) == word
    )


def test_a_short_training_names_its_passes_and_the_iterations_that_would_do():
    """The masks of a real study: 60 iterations of 8 over 141 images, here 7 of 8 over 32: 1.75 passes; 48 make 12."""
    found = comparison([BASELINE, one("better", 0.07, **lead(0.02)), full(0.05)], **trained(7))
    assert (passes(found), enough_iterations(found)) == (1.75, 50)
    assert dropping_text(found).replace("\u00a0", " ") == (
        f"{NOT_KNOWN}7 iterations of 8 images pass 1.8 times over the 32 images of the whole pool and 7 times over a "
        "subset, so the whole pool is not trained to its end; train.iterations=50 would tell. With as many iterations, "
        "a random 25 % of the images is \u22120.050 mAP (\u221218 %) against all of them (95 % interval "
        "\u22120.060 to \u22120.040), and the 25 % of tight +0.020 mAP (+7 %) (95 % interval +0.010 to +0.030)."
    )
    assert enough_iterations(comparison([BASELINE, one("undecided", 0.01), full(-0.05)], **trained(60))) == 120


def test_an_audit_that_lists_nothing_is_no_reason_to_repair():
    open_ = comparison([BASELINE, one("undecided", 0.01)])
    for known, wanted in (
        ({}, "audit"),
        ({"audited": True}, "repair"),
        ({"audited": True, "audit_listed": False}, None),
        ({"audited": True, "audit_listed": False, "audit_old": True}, "audit_again"),
    ):
        told = [step.situation for step in next_steps(open_, Background(HERE, full_planned=True, **known))]
        assert [one for one in told if one in ("audit", "repair", "audit_again")] == [wanted] * bool(wanted)


def test_few_search_images_that_metricloop_drew_can_be_more():
    few = comparison([BASELINE, AHEAD], looks_taken=2, search_images=30)
    (step,) = (step for step in next_steps(few, Background(HERE)) if step.situation == "images")
    assert step.command == f"metricloop run {C} --set data.search_share=0.3"
    assert step.text.startswith("Compare on about 60 in place of 30")
    assert not [
        step for step in next_steps(few | {"search_images": 300}, Background(HERE)) if step.situation == "images"
    ]


@pytest.mark.parametrize(("share", "larger"), [(0.1, 0.2), (0.15, 0.3), (0.2, 0.3), (0.3, None), (0.4, None)])
def test_the_advised_share_of_search_images_is_twice_as_large_and_at_most_three_tenths(share, larger):
    few = comparison([BASELINE, AHEAD], looks_taken=2, search_images=30)
    steps = next_steps(few, Background(HERE, search_share=share))
    (step,) = (step for step in steps if step.situation in ("images", "images_given"))
    if larger is None:  # no setting gives more
        assert step.text.startswith("Compare on more than 30 search images: add labelled images to the split val")
        assert "search_share" not in step.command
    else:
        assert step.text.startswith(f"Compare on about {round(30 * larger / share)} in place of 30 search images")
        assert step.command.endswith(f"--set data.search_share={larger}")


def test_the_sentence_on_the_whole_pool_is_told_from_the_side_of_the_subset():
    """full .281 against .231: the random quarter is .05 below it, which is 1 / (1 + .05 / .231) - 1 = -18 %."""
    found = comparison([BASELINE, one("better", 0.07, **lead(0.02)), full(0.05)])
    assert dropping_text(found) == (
        "Should anything be dropped? With as many iterations, a random 25\u00a0% of the images is \u22120.050 mAP "
        "(\u221218\u00a0%) against all of them (95\u00a0% interval \u22120.060 to \u22120.040), and the "
        "25\u00a0% of tight +0.020 mAP (+7\u00a0%) (95\u00a0% interval +0.010 to +0.030): yes, that gains "
        "0.010 to 0.030 mAP."
    )
    assert dropping(comparison([BASELINE, one("better", 0.07)])) is None


def test_a_metric_that_scores_few_images_is_named():
    found = comparison([BASELINE, one("better", 0.07), one("undecided", 0.01, "b"), one("undecided", 0.01, "c")])
    said = scored_notes(found, {"tight": (3, 160), "b": (79, 160), "c": (80, 160)})
    assert said == [
        "tight: the metric scores 3 of 160 images only, and its subset has 8: the others are a random choice.",
        "b: the metric scores 79 of 160 images only.",
    ]


def test_the_terminal_has_a_verdict_a_table_and_at_most_three_commands_each_on_one_line():
    stream = io.StringIO()
    background = Background(Path("/a/long/path/of/a/workspace"), old_labels=("tightness",))
    print_table(comparison(), Console(file=stream, width=80), background)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("Not comparable: tightness was trained on labels from before a change")
    after = lines[lines.index("Next") :]
    assert 1 <= sum(line.startswith("  metricloop ") for line in after) <= 3
    table = lines[next(k for k, line in enumerate(lines) if line.startswith("arm ")) :]
    assert table[0].split() == ["arm", "boxes", "mAP", "gain", "95", "%", "interval", "p", "Holm", "verdict"]
    row = next(line for line in table if line.startswith("object_count"))
    assert row.split() == ["object_count", "16", "0.301", "+0.070", "+0.040\u2026+0.100", "0.004", "better"]
    assert all(len(line) <= 80 for line in lines if not line.startswith("  metricloop "))
    assert not any("Mean gain of both" in line for line in lines)
