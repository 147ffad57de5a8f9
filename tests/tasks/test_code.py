"""Which files a stage runs, and what happens when they are not the recorded ones."""

import re

import pytest
import yaml

from tasks import code


def test_a_stage_depends_on_what_it_imports_directly_or_not():
    files = code.sources("train")
    assert {"tasks/train.py", "tasks/trial.py", "detection/engine.py", "detection/augment.py"} <= set(files)
    assert not any(name.startswith(("flows/", "llm/")) for name in files)
    assert "detection/scenes.py" not in files
    assert "metrics/catalogue/geometry.py" in code.sources("score")


def test_the_digest_follows_the_content(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("x = 1")
    monkeypatch.setattr(code, "HOME", tmp_path)
    before = code._digest(["a.py"])
    (tmp_path / "a.py").write_text("x = 2")
    assert code._digest(["a.py"]) != before


def test_a_step_refuses_to_run_under_a_digest_that_is_not_its_own(tmp_path):
    (tmp_path / "code.yaml").write_text(yaml.safe_dump(code.digests()))
    code.check_code("train", tmp_path)
    (tmp_path / "code.yaml").write_text(yaml.safe_dump(code.digests() | {"train": "0" * 16}))
    with pytest.raises(code.CodeChangedError, match="metricloop run"):
        code.check_code("train", tmp_path)
    code.check_code("select", tmp_path)


def test_without_code_yaml_nothing_is_checked(tmp_path):
    code.check_code("train", tmp_path)


def test_every_stage_is_a_file_and_has_a_digest():
    assert set(code.digests()) == set(code.STAGES)
    assert all(re.fullmatch(r"[0-9a-f]{16}", value) for value in code.digests().values())
