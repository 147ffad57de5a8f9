"""On a terminal a run has bars, and lines that stay above them; elsewhere the lines are printed as they come."""

import io
import re
import sys
import time
from types import SimpleNamespace

import pytest
from study_fixture import make_study

from metricloop.llm.money import money_so_far
from metricloop.llm.settings import LanguageModel
from metricloop.study import live, processes
from metricloop.study.progress_lines import Progress, read_progress
from metricloop.study.run_record import claimed


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("live") / "study")


def printing(*lines: str) -> list[str]:
    return [sys.executable, "-c", f"print({chr(10).join(lines)!r})"]


TRAINING = (
    "Running stage 'train@random.0':",
    "random.0 seed 0: 120/250  loss 0.612  48 images/s",
    "random.0 seed 0: 250/250  loss 0.512  48 images/s",
    "Running stage 'evaluate@random.0':",
    "random.0 seed 0: mAP 0.029  mAP50 0.120  mAR 0.224",
)


def test_lines_of_progress_are_read_and_others_are_not():
    assert read_progress("  random.0 seed 3: 120/250  loss 0.612  48 images/s") == Progress(
        "random.0 seed 3", 120, 250, "batches", "loss 0.612"
    )
    assert read_progress("score pixels: 50/480 images, 91/s, 5 s left") == Progress("score pixels", 50, 480, "images")
    assert read_progress("ingest: 480/480 pictures, -/s") == Progress("ingest", 480, 480, "pictures")
    assert read_progress("random.0 seed 0: mAP 0.029  mAP50 0.120  mAR 0.224") is None


def test_a_trial_of_seconds_has_a_bar_that_moves(study, monkeypatch):
    clock = "import time\ntime.monotonic = iter(range(0, 90, 3)).__next__\n"
    trial = (
        "from metricloop.training.trial import progress_line\n"
        "show = progress_line('random.0 seed 0', 4)\n"
        "for batch in range(1, 5): show(batch, 0.5, 48)"
    )
    code = [sys.executable, "-c", clock + trial]
    printed: list[str] = []
    monkeypatch.setattr(processes, "_print", printed.append)
    processes.call(study, code, "train")
    assert [read_progress(line[8:]).done for line in printed] == [4]  # 12 seconds by its clock
    seen = []
    with claimed(study, "run") as run, live.shown(run, lambda: "", Terminal()):
        [bars] = live._open
        bar = bars._bar
        monkeypatch.setattr(bars, "_bar", lambda found: (seen.append(found.done), bar(found)))
        processes.call(study, code, "train")
    assert seen == [1, 2, 3, 4]


def test_on_a_terminal_what_moves_is_a_bar_and_what_stays_is_a_line(study, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    seen = []
    with claimed(study, "run") as run, live.shown(run, lambda: "model $0.12", stream):
        [bars] = live._open
        add = bars._add
        monkeypatch.setattr(bars, "_add", lambda name, total: (seen.append((name, total)), add(name, total)))
        run.plan(["train@random.0", "evaluate@random.0"])
        processes.call(study, printing(*TRAINING), "train and evaluate random.0", each=True)
        processes.say("done")
        run.left = lambda run: 754.0
        run.plan(["compare"])
        told = bars.bars.tasks[0].fields["told"]
        assert told.startswith("stage 3 of 3, ")
        assert told.endswith(" s, about 13 min left, model $0.12")
    assert seen == [("train@random.0", None), ("random.0 seed 0", 250), ("evaluate@random.0", None)]
    lines = [line for line in stream.getvalue().splitlines() if "mAP 0.029" in line or line.endswith("  done")]
    assert len(lines) == 2
    assert "loss" not in "".join(lines)
    assert not processes.on_terminal()


def test_a_long_line_goes_on_below_its_own_text(study, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    stream, path = Terminal(), "/a/" + "long" * 25
    with claimed(study, "run") as run, live.shown(run, lambda: "", stream):
        long = "  ingest: 960 images, 1733 boxes, 1 class; pool 480, search 288; mistakes put into the pool: 13.2%"
        processes.say(f"{long}; listed in {path}")
        processes.say("short")
    lines = [re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", line).strip("\r") for line in stream.getvalue().splitlines()]
    first = next(place for place, line in enumerate(lines) if "ingest" in line)
    rest = lines[first + 1 : first + 3]
    assert lines[first].endswith("  ingest: 960 images, 1733 boxes, 1 class; pool 480, search 288;")  # 74 of 80
    under = " " * 14  # below the text, and a little further in
    assert [line.rstrip() for line in rest] == [
        f"{under}mistakes put into the pool: 13.2%; listed in",
        f"{under}{path}",
    ]
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d  short", line) for line in lines)


def test_elsewhere_each_line_is_printed_once(study, capsys):
    with claimed(study, "run") as run, live.shown(run, lambda: ""):
        processes.call(study, printing(*TRAINING), "train and evaluate random.0", each=True)
    lines = [line[10:] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "  train@random.0",
        "  random.0 seed 0: 120/250  loss 0.612  48 images/s",
        "  random.0 seed 0: 250/250  loss 0.512  48 images/s",
        "  evaluate@random.0",
        "  random.0 seed 0: mAP 0.029  mAP50 0.120  mAR 0.224",
    ]


def test_out_of_fold_models_are_the_bars_of_their_stage(study):
    """The stage of the predictions has no empty bar beside those of its models, which stay while it runs."""
    stream = Terminal()
    with claimed(study, "run") as run, live.shown(run, lambda: "", stream):
        (bars,) = live._open
        run.plan(["predict", "score"])
        run.begin("predict")
        assert list(bars.rows) == ["predict"]
        assert bars.bars.tasks[0].fields["told"].endswith(f", {live.UNKNOWN}")
        for label in ("out-of-fold model 1 of 2", "second out-of-fold model 1 of 2"):
            assert bars.take(f"  {label}: 38/250  loss 1.192  23 images/s")
        run.saw("out-of-fold model 1 of 2", 39)
        assert list(bars.rows) == ["out-of-fold model 1 of 2", "second out-of-fold model 1 of 2"]
        run.end("predict")
        assert not bars.rows


def test_a_training_without_bars_says_how_long_it_goes_on(study, monkeypatch, capsys):
    clock = iter([100.0, 120.0, 140.0])
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: next(clock), strftime=time.strftime))
    label = "out-of-fold model 1 of 2"
    lines = [f"{label}: {done}/250  loss 1.192  23 images/s" for done in (10, 30, 50)]
    processes.call(study, printing(*lines), "predict")
    told = [line[12:] for line in capsys.readouterr().out.splitlines()]
    assert told == [lines[0], f"{lines[1]}, about 4 min left", f"{lines[2]}, about 3 min left"]  # 1 s each


def test_the_bars_are_gone_before_the_process_ends(study):
    stream = Terminal()
    with claimed(study, "run") as run, live.shown(run, lambda: "", stream):
        live.clear()
        assert stream.getvalue().rstrip().endswith("\x1b[2K")  # the last thing is that a line was cleared
        assert "\x1b[?25h" in stream.getvalue()  # the cursor is shown again


def test_what_the_model_has_cost_is_told_in_a_few_words(tmp_path):
    journal = tmp_path / "journal.jsonl"
    assert money_so_far(journal, LanguageModel()) == ""
    journal.write_text("")
    assert money_so_far(journal, LanguageModel()) == ""
    journal.write_text(
        '{"event": "asked", "round": 1, "step": "propose", "suggestion": "", "attempt": 0, '
        '"provider": "openai", "model": "m", "tokens": 10}\n'
        '{"event": "answered", "round": 1, "step": "propose", "suggestion": "", "attempt": 0, '
        '"provider": "openai", "model": "m", '
        '"prompt_tokens": 1000, "completion_tokens": 234, "cost": 0.0456, "seconds": 1}\n'
    )
    assert money_so_far(journal, LanguageModel()) == "model $0.05"
