"""Metrics are found by name in our catalogue and by path in a workspace; nothing else there is executed."""

import builtins
import py_compile
import subprocess
import sys

import pytest

from metricloop.engineer.generated_file import file_text
from metricloop.engineer.suggestion import AnswerError, read_suggestion
from metricloop.metrics.contract import MetricError, spec_of
from metricloop.runtime.code_digest import HOME
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.scoring.metric_file import read_source
from metricloop.scoring.open_metrics import catalogue, open_batch
from metricloop.scoring.trust import trust

ARTICLE = ["aspect_ratio", "object_count", "object_proximity", "box_tightness", "object_confidence"]
WIDTH = """
from __future__ import annotations
from dataclasses import dataclass
from metricloop.metrics.contract import metric

@dataclass
class Scale:
    factor: float = 2.0

@metric(level="image")
def width(frame) -> float:
    return Scale().factor * frame.width
"""
TELLTALE = "import builtins\nbuiltins.executed_here = True\n"
EXPLODES = "raise SystemExit('executed')\n"


def test_the_catalogue_holds_the_articles_five_and_each_states_its_direction():
    assert set(ARTICLE) < set(catalogue())
    for name, function in catalogue().items():
        assert spec_of(function).name == name
        assert "Direction" in function.__doc__
        assert ">>>" in function.__doc__


def test_an_unknown_name_gets_the_nearest_known():
    with pytest.raises(MetricError, match="no metric 'object_cuont' in the catalogue; did you mean 'object_count'"):
        open_batch("metrics/catalogue", ["object_cuont"])


def test_adopted_code_is_loaded_by_path_from_a_file_or_a_folder(tmp_path):
    adopted = tmp_path / "metrics/adopted"
    adopted.mkdir(parents=True)
    (adopted / "width.py").write_text(WIDTH)
    for code in ("metrics/adopted", "metrics/adopted/width.py"):
        batch = open_batch(code, ["width"], tmp_path)
        assert batch.trust == "adopted"
        (function,) = batch.metrics
        assert spec_of(function).level == "image"
        assert function.__module__ not in sys.modules
    with pytest.raises(MetricError, match=r"height\.py does not exist"):
        open_batch("metrics/adopted", ["height"], tmp_path)


@pytest.mark.parametrize(
    "code",
    [
        "metrics/generated/1",
        "metrics/generated/1/width.py",
        "metrics/adopted/../generated/1",
        "metrics/catalogue/../generated/1",
        "metrics/adopted_not",
        "elsewhere.py",
    ],
)
def test_code_nobody_has_read_is_not_executed_here(tmp_path, code, walls):
    for path in ("metrics/generated/1/width.py", "metrics/adopted_not/width.py", "elsewhere.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(WIDTH + TELLTALE)
    batch = open_batch(code, ["width"], tmp_path)
    assert batch.trust == "sandbox"
    assert [spec.name for spec in batch.specs] == ["width"]
    assert not hasattr(builtins, "executed_here")


def test_without_walls_it_is_refused_and_says_how_to_vouch_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "metricloop.scoring.open_metrics.sandbox", lambda limits: raise_(SandboxError("there is no sandbox here"))
    )
    (tmp_path / "mine.py").write_text(WIDTH + TELLTALE)
    with pytest.raises(SandboxError, match=r"no sandbox here.*metricloop run --trust mine\.py"):
        open_batch("mine.py", ["width"], tmp_path)
    assert not hasattr(builtins, "executed_here")


def test_a_link_does_not_lead_out_of_the_adopted_folder(tmp_path, walls):
    (tmp_path / "metrics/adopted").mkdir(parents=True)
    (tmp_path / "width.py").write_text(WIDTH + TELLTALE)
    (tmp_path / "metrics/adopted/width.py").symlink_to(tmp_path / "width.py")
    assert open_batch("metrics/adopted", ["width"], tmp_path).trust == "sandbox"
    assert not hasattr(builtins, "executed_here")


def test_a_file_a_person_vouched_for_runs_here_until_it_changes(tmp_path, walls):
    file = tmp_path / "mine.py"
    file.write_text(WIDTH)
    assert trust(file, tmp_path) == "mine.py"
    assert open_batch("mine.py", ["width"], tmp_path).trust == "trusted"
    file.write_text(WIDTH + TELLTALE)
    assert open_batch("mine.py", ["width"], tmp_path).trust == "sandbox"
    assert not hasattr(builtins, "executed_here")


def test_what_was_read_is_what_runs_whatever_lies_in_the_bytecode_cache(tmp_path):
    for folder in ("metrics/adopted", "mine"):
        (tmp_path / folder).mkdir(parents=True)
        file = tmp_path / folder / "width.py"
        file.write_text(WIDTH + TELLTALE)
        py_compile.compile(str(file), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        file.write_text(WIDTH)
    trust(tmp_path / "mine/width.py", tmp_path)
    for code, why in (("metrics/adopted", "adopted"), ("mine/width.py", "trusted")):
        assert open_batch(code, ["width"], tmp_path).trust == why
    assert not hasattr(builtins, "executed_here")


def test_a_file_that_cannot_be_opened_takes_no_other_with_it_where_it_may_be_given_up(tmp_path, walls):
    folder = tmp_path / "metrics/generated/1"
    folder.mkdir(parents=True)
    (folder / "width.py").write_text(WIDTH)
    (folder / "late.py").write_text(WIDTH + "raise ValueError('not today')\n")
    (folder / "slow.py").write_text(WIDTH + "while True: pass\n")
    (folder / "odd.py").write_bytes(b"\xff\xfe")
    (folder / "other.py").write_text(WIDTH)
    names, limits = ["late", "width", "slow", "odd", "other", "lost"], Limits(start_seconds=1)
    said = {}
    batch = open_batch("metrics/generated/1", names, tmp_path, limits, give_up=said.__setitem__)
    assert [spec.name for spec in batch.specs] == ["width"]
    assert batch.trust == "sandbox"
    assert said["late"] == (
        "metrics/generated/1/late.py: ValueError: not today (line 13: raise ValueError('not today'))"
    )
    assert said["slow"] == "metrics/generated/1/slow.py: importing the code took more than 1 s"
    assert "is not UTF-8 text" in said["odd"]
    assert said["other"].startswith("no metric 'other' in metrics/generated/1/other.py; it has width")
    assert said["lost"].endswith("lost.py does not exist")
    with pytest.raises(MetricError, match="not today"):
        open_batch("metrics/generated/1", names[:2], tmp_path)


def test_a_batch_that_nothing_is_left_of_is_nobodys_trusted_code(tmp_path):
    (tmp_path / "metrics/generated/1").mkdir(parents=True)
    said = {}
    batch = open_batch("metrics/generated/1", ["width"], tmp_path, give_up=said.__setitem__)
    assert (batch.specs, batch.trust, list(said)) == ((), "sandbox", ["width"])


def test_what_fails_in_this_process_is_told_with_its_line(tmp_path):
    (tmp_path / "mine.py").write_text("one = 1\nthree = one / 0\n")
    trust(tmp_path / "mine.py", tmp_path)
    with pytest.raises(MetricError, match=r"^mine\.py: ZeroDivisionError: division by zero \(line 2\)$"):
        open_batch("mine.py", ["width"], tmp_path)


def test_the_longest_code_that_can_be_suggested_makes_a_file_that_can_be_read(tmp_path):
    code = "#" + "\U00024b62" * 49_999  # four bytes each
    idea = {"name": "longest", "hypothesis": "h", "targets": "none", "family": "pixels", "adapts": "a",
            "parent": None, "metric": "width", "partner": None,
            "code": code, "policy": {"name": "best"}, "predicted_gain": 0.0}  # fmt: skip
    assert read_suggestion(idea).code == code
    with pytest.raises(AnswerError, match="at most 50000"):
        read_suggestion(idea | {"code": code + "#"})
    origin = {"study": "s" * 255, "model": "m" * 80, "suggestion": "longest", "prompt": "0" * 16}
    text = file_text(code, number=1, repairs=3, **origin)
    (tmp_path / "width.py").write_text(text)
    assert read_source(tmp_path / "width.py", tmp_path).code == text


def test_generated_code_is_not_adopted_through_a_link(tmp_path, walls):
    (tmp_path / "metrics/adopted/1").mkdir(parents=True)
    (tmp_path / "metrics/adopted/1/width.py").write_text(WIDTH + TELLTALE)
    (tmp_path / "metrics/generated").symlink_to(tmp_path / "metrics/adopted")
    assert open_batch("metrics/generated/1", ["width"], tmp_path).trust == "sandbox"
    assert not hasattr(builtins, "executed_here")


def test_a_broken_list_of_trusted_files_is_named(tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/trusted.yaml").write_text("- mine.py\n")
    (tmp_path / "mine.py").write_text(WIDTH)
    with pytest.raises(MetricError, match=r"trusted\.yaml must map files to digests"):
        open_batch("mine.py", ["width"], tmp_path)


def test_names_chosen_by_foreign_code_do_not_flood_the_message(tmp_path, walls):
    many = "".join(f"@metric(level='image')\ndef ignore_{'x' * 50}_{k}(frame):\n    return 0\n" for k in range(30))
    (tmp_path / "mine.py").write_text(f"from metricloop.metrics.contract import metric\n{many}")
    with pytest.raises(MetricError) as caught:
        open_batch("mine.py", ["width"], tmp_path)
    assert len(str(caught.value)) < 400
    (tmp_path / "mine.py").write_text(
        f"from metricloop.metrics.contract import metric\n{many}{many.replace('ignore', 'obey')}"
    )
    with pytest.raises(MetricError, match="declares 60 metrics; a file may have at most 32"):
        open_batch("mine.py", ["width"], tmp_path)


@pytest.mark.parametrize("content", [WIDTH.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + WIDTH.encode()])
def test_a_file_from_windows_can_be_vouched_for(tmp_path, content):
    (tmp_path / "mine.py").write_bytes(content)
    trust(tmp_path / "mine.py", tmp_path)
    assert open_batch("mine.py", ["width"], tmp_path).trust == "trusted"


def test_vouching_is_for_files_of_the_workspace(tmp_path):
    outside = tmp_path / "width.py"
    outside.write_text(WIDTH)
    (tmp_path / "workspace").mkdir()
    with pytest.raises(MetricError, match="move it into the workspace"):
        trust(outside, tmp_path / "workspace")
    with pytest.raises(MetricError, match="does not exist"):
        trust(tmp_path / "workspace/none.py", tmp_path / "workspace")


def test_unsafe_runs_unread_code_here_and_says_so(tmp_path):
    (tmp_path / "mine.py").write_text(WIDTH)
    assert open_batch("mine.py", ["width"], tmp_path, unsafe=True).trust == "unsafe-in-process"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe", "not UTF-8"), (b"#" * 500_000, "500000 bytes long"), (None, "does not exist")],
)
def test_what_is_no_file_of_text_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "mine.py").write_bytes(content)
    with pytest.raises(MetricError, match=message):
        open_batch("mine.py", ["width"], tmp_path)


def raise_(error: Exception):
    raise error


def test_a_hostile_package_in_the_workspace_is_not_imported(tmp_path):
    adopted = tmp_path / "metrics/adopted"
    adopted.mkdir(parents=True)
    for folder in (tmp_path / "metrics", adopted):
        (folder / "__init__.py").write_text(EXPLODES)
    (adopted / "width.py").write_text(WIDTH)
    program = (
        "from metricloop.scoring.open_metrics import open_batch as load\n"
        "found = load('metrics/catalogue', ['object_count']).specs + load('metrics/adopted', ['width']).specs\n"
        "print([spec.name for spec in found])"
    )
    ours = str(HOME)
    command = [sys.executable, "-P", "-c", program]
    env = {"PYTHONPATH": ours}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "['object_count', 'width']\n", done.stderr
