"""The files that a stage runs, their digest, and the error when the digest is not the recorded one."""

import re

import pytest
import yaml

from metricloop.runtime import code_digest
from metricloop.study.rendering import stage_kinds


def test_a_stage_depends_on_its_direct_and_indirect_imports():
    files = code_digest.sources("train")
    assert {
        "metricloop/tasks/train.py",
        "metricloop/training/trial.py",
        "metricloop/training/recipe.py",
        "metricloop/detector/engine.py",
        "metricloop/detector/augment.py",
    } <= set(files)
    assert not any(
        name.startswith(("metricloop/flows/", "metricloop/llm/", "metricloop/selection/", "metricloop/text/"))
        for name in files
    )
    assert not {"metricloop/drawing/scenes.py", "metricloop/training/detect.py"} & set(files)
    assert "metricloop/training/trial.py" not in code_digest.sources("evaluate")
    assert "metricloop/metrics/catalogue/geometry.py" in code_digest.sources("score")


def test_the_digest_follows_the_content(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("x = 1")
    monkeypatch.setattr(code_digest, "HOME", tmp_path)
    before = code_digest.digest_of_files(["a.py"])
    (tmp_path / "a.py").write_text("x = 2")
    assert code_digest.digest_of_files(["a.py"]) != before


def test_a_stage_refuses_to_run_when_code_yaml_has_another_digest(tmp_path):
    (tmp_path / "code.yaml").write_text(yaml.safe_dump(code_digest.digests(stage_kinds())))
    code_digest.check_code("train", tmp_path)
    (tmp_path / "code.yaml").write_text(yaml.safe_dump(code_digest.digests(stage_kinds()) | {"train": "0" * 16}))
    with pytest.raises(code_digest.CodeChangedError, match="metricloop run"):
        code_digest.check_code("train", tmp_path)
    code_digest.check_code("select", tmp_path)


def test_without_code_yaml_nothing_is_checked(tmp_path):
    code_digest.check_code("train", tmp_path)


def test_every_stage_is_a_file_and_has_a_digest():
    assert set(code_digest.digests(stage_kinds())) == set(stage_kinds())
    assert all(re.fullmatch(r"[0-9a-f]{16}", value) for value in code_digest.digests(stage_kinds()).values())


def test_comments_and_docstrings_do_not_count_and_strings_do():
    code = 'X = """a\n\nb  \n"""\n\n\ndef f(x):\n    return x  # why\n'
    same = (
        '"""About."""\n# a comment\nX = """a\n\nb  \n"""\n'
        'def f(x):\n    """What it does\n\n    at length."""\n    return x\n'
    )
    assert code_digest.running_code(code) == code_digest.running_code(same)
    for other in (code.replace("a\n\nb", "a\nb"), code.replace("b  ", "b"), code.replace("return x", "return -x")):
        assert code_digest.running_code(code) != code_digest.running_code(other)
