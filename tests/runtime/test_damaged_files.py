"""What is told of damaged files: hand-made workspaces without git and DVC."""

import errno
from concurrent.futures.process import BrokenProcessPool

import pytest

from metricloop.data.tables import TableError
from metricloop.runtime.damaged_files import changed_outputs, damaged_files, told


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "params.yaml").write_text("study: {name: x}\n")
    outs = "[{path: comparison.json, md5: 8a80554c91d9fca8acb82f023de02f11}]"
    (tmp_path / "dvc.lock").write_text(f"schema: '2.0'\nstages: {{compare: {{cmd: c, outs: {outs}}}}}\n")
    (tmp_path / "comparison.json").write_text("{}\n")  # md5sum of it: as in dvc.lock
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("comparison.json", b"", "is empty"),
        ("comparison.json", b'{"arms": [\n', "is damaged: it is no JSON from line 2 on"),
        ("comparison.json", b"[]", "is damaged: it must hold keys with values, and holds a list"),
        ("comparison.json", b"true", "is damaged: it must hold keys with values, and holds true or false"),
        ("comparison.json", b"\xff\xfe", "is damaged: it is no text"),
        ("data/categories.json", b"{}", "is damaged: it must hold a list, and holds keys with values"),
        ("rounds.yaml", b"arms: {a: {policy: {name: b", "is damaged: it is no YAML from line 1 on"),
        ("rounds.yaml", b"arms: {}\nblo: 1", "is damaged: it is cut short"),
        ("arms.yaml", b"17\n", "is damaged: it must hold keys with values, and holds a number"),
        ("journal.jsonl", b'{"event": "a"}\nnothing\n{"ev', "is damaged: line 2 is no event"),
        ("opened.jsonl", b'{"opened": 1}\n{"ope', "is damaged: line 2 is no event"),
        ("scores/labels/x.parquet", b"PAR1", "is damaged: it is no whole Parquet file"),
        ("models/random.0/seed_0.pt", b"PK", "is damaged: it is no whole file of weights"),
        ("mlflow.db", b"x" * 40, "is damaged: it is no SQLite database"),
    ],
)
def test_each_form_of_file_says_what_is_wrong(folder, name, content, what):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    (found,) = damaged_files(folder)
    assert (found.path, found.what) == (folder / name, what)


def test_a_whole_workspace_a_torn_last_line_and_an_empty_journal_are_no_damage(folder):
    (folder / "journal.jsonl").write_text('{"event": "a"}\n{"ev')
    (folder / "opened.jsonl").write_text("")
    (folder / "brief.md").write_text("")
    assert not list(damaged_files(folder))
    assert not list(changed_outputs(folder))


def test_an_error_of_another_library_is_told_by_the_damage_and_one_of_ours_keeps_its_words(folder):
    bug = TypeError("list indices must be integers")
    assert told(bug, folder, outputs=True) is None
    (folder / "comparison.json").write_text('{"arms": 3}\n')  # JSON with keys, but not what the stage wrote
    line = f"{folder}/comparison.json is not what its stage wrote; make it again: metricloop run -C {folder}"
    assert told(bug, folder, outputs=True) == line
    assert told(bug, folder) is None
    assert told(TableError("data/x.parquet has no column y"), folder, outputs=True) == "data/x.parquet has no column y"
    (folder / "comparison.json").unlink()
    gone = line.replace("is not what its stage wrote", "is missing")
    assert told(bug, folder, outputs=True) == gone
    assert told(TableError("no comparison.json"), folder, outputs=True) == f"no comparison.json\n{gone}"
    first = f"no comparison.json: metricloop run -C {folder}"
    assert told(TableError(first), folder, outputs=True) == first  # says itself what to do
    (folder / ".metricloop").mkdir()
    (folder / ".metricloop/run.json").write_text("{}")
    assert told(bug, folder, outputs=True) is None  # a run goes on, and its outputs come and go
    (folder / ".metricloop/run.json").write_text("{")
    scratch = f"{folder}/.metricloop/run.json"
    assert told(TableError("it"), folder) == (
        f"it\n{scratch} is damaged: it is no JSON from line 1 on; nothing in it is lost: rm -r {scratch}"
    )


def test_a_full_disk_and_used_up_memory_are_told_in_a_line(folder):
    assert told(OSError(errno.ENOSPC, "No space left on device", "a"), folder) == (
        "[Errno 28] No space left on device: 'a': the disk is full; make room, then give the same command again: "
        "what is finished stays"
    )
    used_up = "the memory is used up; end other programs, then give the same command again: what is finished stays"
    torch = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
    threads = RuntimeError("can't start new thread")
    for error in (MemoryError(), torch, threads, OSError(errno.ENOMEM, "Cannot allocate memory")):
        assert told(error) == used_up
    assert told(ValueError("out of memory")) is None


def test_a_worker_that_was_killed_is_told_in_a_line():
    said = told(BrokenProcessPool("A process in the process pool was terminated abruptly"))
    assert said is not None
    assert said.startswith("a worker process was killed from outside")
    assert said.endswith("give the same command again: what is finished stays")


def test_a_path_that_is_closed_is_told_with_the_command_that_opens_it(folder):
    error = PermissionError(errno.EACCES, "Permission denied", f"{folder}/.arms.yaml.7b7bcd22")
    assert told(error, folder) == f"{folder}/.arms.yaml.7b7bcd22 is closed to you; allow it: chmod u+rwX {folder}"


def test_a_sentence_of_ours_in_an_error_of_python_stays(folder):
    from metricloop.cli.command import existing_result

    (folder / "comparison.json").write_text('{"arms": 3}\n')
    with pytest.raises(FileNotFoundError) as caught:
        existing_result(folder, "confirmation.json")
    assert told(caught.value, folder, outputs=True) == str(caught.value)
    (folder / "confirmation.json").mkdir()
    assert told(caught.value, folder).startswith(f"{folder}/confirmation.json is a folder, not a file; ")
