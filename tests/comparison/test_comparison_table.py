"""metricloop/comparison/comparison_table.py: what a person reads."""

import io

import pytest
from rich.console import Console

from metricloop.comparison.comparison_table import cells, markdown_table, print_confirmation, print_table
from metricloop.text.numbers import gain


def arm(name, role, mean, rise=None, **changes):
    values = {"mean": mean, "sd": 0.012, "per_seed": [mean] * 3}
    row = {"name": name, "role": role, "policy": {"name": name}, "images": 1500, "boxes": 12345, "seeds": [0, 1, 2]}
    row |= {"mAP": values, "mAR": values, "mAP50": values, "gain": None, "oracle_gap_closed": None}
    if rise is not None:
        change = {"abs": rise, "rel": rise / 0.2, "ci95": [rise - 0.03, rise + 0.03], "p": 0.01, "p_holm": 0.04}
        row |= {"gain": {"mAP": change, "mAR": change}}
    return row | {"verdict": None, "seeds_needed": None} | changes


@pytest.fixture
def comparison():
    arms = [
        arm("random", "baseline", 0.2),
        arm("object_proximity", "treatment", 0.21, 0.01, verdict="undecided", seeds_needed=14),
        arm("aspect_ratio", "treatment", 0.19, -0.001, verdict="undecided"),
        arm("oracle", "control", 0.33, 0.13, verdict="better", oracle_gap_closed=1.0),
        arm("upside_down", "control", 0.1, -0.1, verdict="worse", policy={"name": "inverse"}),
    ]
    return {"study": "lion", "budget": 0.25, "recipe": "abc", "split": "search", "arms": arms}


@pytest.fixture
def printed(comparison):
    stream = io.StringIO()
    print_table(comparison, Console(file=stream, width=100))
    return stream.getvalue()


def test_a_row_stays_on_one_line_of_a_hundred_columns(printed, comparison):
    line = next(line for line in printed.splitlines() if line.startswith("object_proximity"))
    shown = cells(comparison["arms"][1])
    assert shown[1:4] == ["1,500", "12,345", "0.210 ± 0.012"]
    assert shown[6:] == ["0.040", "0.210", "undecided"]
    assert all(text in line for text in shown)
    assert max(map(len, printed.splitlines())) <= 100


def test_no_winner_is_claimed_where_there_is_none(printed):
    assert printed.startswith("Undecided")
    assert gain(0.13, 0.65) in printed.split("lion")[0]  # what the oracle gains


def test_open_questions_and_controls_are_explained(printed):
    text = " ".join(printed.split())
    assert "decide the undecided arms: object_proximity 14." in text
    assert "search images: aspect_ratio." in text
    assert "oracle (control): keep the images with the smallest share of damaged objects." in text
    assert "upside_down (control): keep the worst images" in text


def test_markdown_holds_the_same_rows(comparison):
    lines = markdown_table(comparison).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 5
    assert {line.count("|") for line in table} == {10}
    assert lines[0].startswith("**Undecided")


def confirmed(confirmation):
    stream = io.StringIO()
    print_confirmation(confirmation, Console(file=stream, width=100))
    return stream.getvalue()


def test_confirmation():
    change = {"abs": 0.05, "rel": 0.25, "ci95": [0.01, 0.09], "p": 0.02}
    arms = {
        "baseline": {"arm": "random", "mAP": [0.1, 0.3], "mAR": [0.4, 0.4]},
        "winner": {"arm": "aspect_ratio", "mAP": [0.2, 0.3], "mAR": [0.4, 0.5]},
    }
    values = {
        "study": "lion",
        "split": "test",
        "seeds": [1000, 1001],
        "arms": arms,
        "gain": {"winner": {"mAP": change}},
    }
    lines = confirmed(values).splitlines()
    assert lines[0].strip() == "lion: the test split, 2 fresh seeds"
    winner = next(line for line in lines if "aspect_ratio" in line)
    assert all(text in winner for text in ("winner", "0.250", "0.450", gain(0.05, 0.25), "+0.010 to +0.090", "0.020"))
    assert "0.200" in next(line for line in lines if "random" in line)
    assert "was not used" in confirmed(values | {"arms": {}, "gain": {}, "seeds": []})


def test_an_arm_scored_without_the_sandbox_is_marked_in_the_table_and_below(comparison):
    comparison["arms"][1]["unsafe_in_process"] = True
    text = markdown_table(comparison)
    assert "undecided (unsafe)" in text
    assert "- Scored by unread code without the sandbox (--unsafe-in-process): object_proximity." in text
