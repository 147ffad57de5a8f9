"""How the command line reads what is typed, helps, completes, and tells failures; what the commands do is elsewhere."""

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from tiny_study import metricloop

from metricloop.cli import command
from metricloop.cli.command import MissingValueError, one_value_a_flag
from metricloop.cli.main import app, main
from metricloop.study.new_study import NewStudy, render_arms

TESTS = Path(__file__).parents[1]
TOP = typer.main.get_command(app)
COMMANDS = list(TOP.commands)
ALL = ["init", "run", "score", "audit", "try", "adopt", "suggest", "scorecard", "learn", "status", "relocate",
       "compare", "reproduce", "report", "doctor", "track", "export", "import-labels", "fix", "add", "new-metric",
       "mend", "promote", "predict", "serve", "bundle", "deploy", "takehome", "push"]  # fmt: skip


def values(*typed: str) -> dict:
    """What the function of a command is given, without those that are as by default."""
    cmd = TOP.commands[typed[0]]
    with TOP.make_context("metricloop", []) as top:
        given = cmd.make_context(typed[0], list(typed[1:]), parent=top).params
        usual = {param.name: param.get_default(top) for param in cmd.params}
    return {name: value for name, value in given.items() if value not in (usual[name], ())}


def test_no_command_is_missing():
    assert sorted(COMMANDS) == sorted(ALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_with_an_example_within_80_columns(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    usage, about = [line.strip() for line in lines if line.strip()][:2]
    assert usage.startswith(f"Usage: metricloop {name} [OPTIONS]")
    assert re.fullmatch(r"[A-Z].+\.", about)
    examples = lines[lines.index(next(line for line in lines if line.strip() == "Examples:")) + 1 :]
    shown = [line.strip() for line in examples if line.strip()]
    assert shown
    assert all(line.startswith(f"metricloop {name}") for line in shown)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_can_be_typed(name):
    for line in TOP.commands[name].epilog.splitlines()[2:]:
        words = re.split(r" [|>] ", line.strip().replace("\\", ""))[0].split()
        assert words[:2] == ["metricloop", name]
        values(*words[1:])


def test_the_examples_name_batches_arms_and_blocks_of_a_new_workspace():
    plan = yaml.safe_load(render_arms(NewStudy(name="lions", source="/data/lions", root="/data/lions")))
    known = {
        "batches": set(plan["batches"]),
        "arm": set(plan["arms"]),
        "what": {*plan["arms"], "pool", "search", "test", "suspicious"},
        "block": set(plan["blocks"]),
    }
    checked = set()
    for name in COMMANDS:
        for line in TOP.commands[name].epilog.splitlines()[2:]:
            words = re.split(r" [|>] ", line.strip().replace("\\", ""))[0].split()
            given = values(*words[1:])
            for key in known.keys() & given.keys():
                named = given[key] if isinstance(given[key], list) else [given[key]]
                assert set(named) <= known[key], line
                checked.add(key)
    assert checked == set(known)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_test(name):
    typed = re.compile(rf'(main\(\[|metricloop\(\s*)"{name}"')
    assert any(typed.search(file.read_text()) for file in TESTS.rglob("test_*.py"))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("run --set a=1 b=2 -C d", {"changes": ["a=1", "b=2"], "folder": Path("d")}),
        ("run --set a=1 --set b=2 --dry-run", {"changes": ["a=1", "b=2"], "dry_run": True}),
        ("run --set=a=1 --arm x", {"changes": ["a=1"], "arm": "x"}),
        ("run --trust f.py g.py --unsafe-in-process", {"trusted": [Path("f.py"), Path("g.py")], "unsafe": True}),
        ("run -Cd", {"folder": Path("d")}),
        ("init d --demo --full", {"folder": Path("d"), "demo": True, "full": True}),
        ("init d --categories a b --import", {"folder": Path("d"), "categories": ["a", "b"], "copy": True}),
        ("init --categories a b -- d", {"folder": Path("d"), "categories": ["a", "b"]}),
        ("init --categories=a d", {"folder": Path("d"), "categories": ["a"]}),
        ("init d --budget .5 --seeds 5", 
         {"folder": Path("d"), "budget": 0.5, "seeds": 5}),
        ("init d --format voc --corrupt sloppy", {"folder": Path("d"), "form": "voc", "corrupt": "sloppy"}),
        ("init d --data s --name n --detector x", {"folder": Path("d"), "data": "s", "name": "n", "detector": "x"}),
        ("init d --weights w --image-size 96", {"folder": Path("d"), "weights": "w", "image_size": 96}),
        ("init d --iterations 9 --strength -1", {"folder": Path("d"), "iterations": 9, "strength": -1.0}),
        ("score a b -C d", {"batches": ["a", "b"], "folder": Path("d")}),
        ("score --list", {"catalogue": True}),
        ("try f.py --policy among share=0.4 x=1", {"file": Path("f.py"), "policy": ["among", "share=0.4", "x=1"]}),
        ("try --policy best -C d f.py", {"file": Path("f.py"), "policy": ["best"], "folder": Path("d")}),
        ("try f.py --metric m", {"file": Path("f.py"), "metric": "m"}),
        ("add m --policy among share=0.4 -C d", {"wanted": "m", "policy": ["among", "share=0.4"], "folder": Path("d")}),
        ("add m --relabel 5 --truth second", {"wanted": "m", "relabel": 5, "truth": "second"}),
        ("new-metric m --level image", {"name": "m", "level": "image"}),
        ("adopt m --yes", {"name": "m", "yes": True}),
        ("suggest --dry-run -C d", {"dry_run": True, "folder": Path("d")}),
        ("scorecard d e", {"folders": [Path("d"), Path("e")]}),
        ("audit --no-training --most 3", {"no_training": True, "most": 3}),
        ("audit --set a.b=1 c.d=2 --least 0", {"changes": ["a.b=1", "c.d=2"], "least": 0.0}),
        ("compare --markdown --confirmed", {"markdown": True, "confirmed": True}),
        ("reproduce random.0 -C d", {"block": "random.0", "folder": Path("d")}),
        ("export pool x.json --seed 2", {"what": "pool", "target": Path("x.json"), "seed": 2}),
        ("export suspicious q.xml --format cvat --most 9 --copy", {"what": "suspicious", "target": Path("q.xml"),
         "form": "cvat", "most": 9, "copy": True}),
        ("import-labels q.json --format voc --held-out --no-arm", {"file": Path("q.json"), "form": "voc",
         "held_out": True, "no_arm": True}),
        ("promote count --anyway --share 0.5 --seeds 5 -C d",
         {"arm": "count", "anyway": True, "share": 0.5, "seeds": 5, "folder": Path("d")}),
        ("predict m a.jpg b -o c.json --score .5 --batch 4",
         {"model": "m", "images": [Path("a.jpg"), Path("b")], "target": Path("c.json"), "score": 0.5, "batch": 4}),
        ("predict models:/m@champion a -o c",
         {"model": "models:/m@champion", "images": [Path("a")], "target": Path("c")}),
        *((f"{name} -C d", {"folder": Path("d")}) for name in ("status", "report", "track", "promote")),
        *((f"{name} --json", {"as_json": True}) for name in ("status", "compare", "scorecard", "audit", "doctor")),
    ],
)  # fmt: skip
def test_what_is_typed_is_what_a_command_gets(typed, expected):
    assert values(*typed.split()) == expected


def test_the_defaults_of_init():
    cmd = TOP.commands["init"]
    with TOP.make_context("metricloop", []) as top:
        given = cmd.make_context("init", ["d"], parent=top).params
    assert given == {
        "folder": Path("d"), "data": None, "labels": None, "images": None, "truth": None,
        "name": None, "budget": 0.25, "form": "auto", "categories": (),
        "detector": "fcos_shufflenet", "weights": None, "image_size": 224, "iterations": 250, "seeds": 3,
        "screen": False, "corrupt": None, "strength": 0.5, "copy": False, "demo": False, "full": False, "remote": None,
        "changes": (), "yes": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ([], []),
        (["--set", "a"], ["--set", "a"]),
        (["--set", "a", "b", "--arm", "c", "d"], ["--set", "a", "--set", "b", "--arm", "c", "d"]),
        (["--set", "a=-1", "-1", "-.5", "-", "-x y"], ["--set", "a=-1", "--set", "-1", "--set", "-.5", "--set", "-",
                                                      "--set", "-x y"]),
        (["--set", "a", "--", "--set", "b", "c"], ["--set", "a", "--", "--set", "b", "c"]),
        (["--set=a", "b"], ["--set=a", "b"]),  # typed so, it takes this one value
        (["--dry-run", "x"], ["--dry-run", "x"]),
    ],
)  # fmt: skip
def test_a_flag_is_repeated_before_each_of_its_values(typed, read):
    assert one_value_a_flag(typed, ["--set"], ["--arm"]) == read


@pytest.mark.parametrize("typed", [["--set"], ["--set", "--arm", "x"], ["--arm", "--set", "x"], ["--arm", "--"]])
def test_an_option_does_not_take_the_next_option_as_its_value(typed):
    with pytest.raises(MissingValueError, match=f"^{typed[0]}$"):
        one_value_a_flag(typed, ["--set"], ["--arm"])


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["staus"], "metricloop: No such command 'staus'. Did you mean 'status'?"),
        (["run", "--dry"], "metricloop run: No such option: --dry; did you mean --dry-run?"),
        (["run", "--dry-rum"], "metricloop run: No such option: --dry-rum; did you mean --dry-run?"),
        (["--verson"], "metricloop: No such option: --verson; did you mean --version?"),
        (["run", "--set"], "metricloop run: Invalid value for '--set': a value is missing"),
        (["run", "--arm", "--dry-run"], "metricloop run: Invalid value for '--arm': a value is missing"),
        (["init"], "metricloop init: Missing argument 'FOLDER'."),
        (["export", "pool"], "metricloop export: Missing argument 'TARGET'."),
        (["run", "x"], "metricloop run: Got unexpected extra argument(s) (x)"),
        (
            ["init", "d", "--format", "coko"],
            "metricloop init: Invalid value for '--format': 'coko' is not one of 'auto', ",
        ),
        (["init", "d", "--seeds", "x"], "metricloop init: Invalid value for '--seeds': "),
        (["score", "--json"], "metricloop score: Invalid value for '--json': it goes with --list only"),
    ],
)
def test_what_is_typed_wrongly_ends_with_2_and_a_hint(typed, told, capsys):
    assert main(typed) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(told)
    command_path = told.partition(":")[0]
    assert err.splitlines()[-1] == f"See: {command_path} --help"


def test_no_command_shows_the_help(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert "Usage: metricloop [OPTIONS] COMMAND [ARGS]..." in shown
    assert "metricloop init demo --demo" in shown


def test_the_version_is_that_of_the_package(capsys):
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"metricloop {version('metricloop')}\n"


@pytest.mark.parametrize(("typed", "allowed"), [("--help", set()), ("run", {"pydantic"})])
def test_help_imports_nothing_heavy(typed, allowed):
    """It takes under half a second; 0.25 s on two idle cores."""
    code = f"import sys; from metricloop.cli.main import main; main([{typed!r}, '--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pyarrow", "torch", "pydantic", "prefect", "mlflow", "scipy", "cv2", "yaml", "dvc"}
    assert not (heavy - allowed) & set(done.stdout.splitlines()[-1].split())


def test_a_shell_completes_commands_options_and_choices():
    def completed(typed: str) -> list[str]:
        words = {"_METRICLOOP_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
        return metricloop(env=os.environ | words).stdout.split()

    assert completed("metricloop s") == ["status", "score", "suggest", "scorecard", "serve"]
    assert "--dry-run" in completed("metricloop run --set a=1 b=2 --")
    assert completed("metricloop init x --format vo") == ["voc"]
    assert completed("metricloop init x --corrupt a") == ["article"]


def test_the_completion_script_is_printed():
    done = metricloop(env=os.environ | {"_METRICLOOP_COMPLETE": "source_bash"})
    assert done.returncode == 0
    assert "_METRICLOOP_COMPLETE=complete_bash" in done.stdout
    assert "complete -o default -F _metricloop_completion metricloop" in done.stdout
    named = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # as in a shell that typer cannot name
    assert metricloop("--show-completion", "bash", env=named).stdout.strip() == done.stdout.strip()


def failing(monkeypatch, error: BaseException) -> None:
    """Let `metricloop status` end in an error."""
    from metricloop.study import staleness

    def fail(folder):
        raise error

    monkeypatch.setattr(staleness, "staleness", fail)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ValueError("no such thing"), 1, "metricloop status: no such thing\n"),
        (RuntimeError("it failed"), 1, "metricloop status: it failed\n"),
        (FileNotFoundError(2, "gone", "x"), 1, "metricloop status: [Errno 2] gone: 'x'\n"),
        (KeyError("a key"), 1, "metricloop status: a key\n"),
        (subprocess.TimeoutExpired("dvc", 3), 1, "metricloop status: Command 'dvc' timed out after 3 seconds\n"),
        (KeyboardInterrupt(), 130, "\nstopped; nothing is lost: the same command goes on from here\n"),
    ],
)
def test_an_expected_failure_is_one_message(monkeypatch, capsys, error, status, told):
    monkeypatch.delenv("METRICLOOP_DEBUG", raising=False)
    failing(monkeypatch, error)
    assert main(["status"]) == status
    assert capsys.readouterr() == ("", told)


def test_debugging_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("METRICLOOP_DEBUG", "1")
    failing(monkeypatch, ValueError("no such thing"))
    with pytest.raises(ValueError, match="no such thing"):
        main(["status"])


def test_a_mistake_of_ours_is_not_hidden(monkeypatch):
    failing(monkeypatch, TypeError("ours"))
    with pytest.raises(TypeError, match="ours"):
        main(["status"])


def test_a_reader_that_has_had_enough_ends_the_command_quietly():
    pipe = subprocess.Popen(
        [sys.executable, "-P", "-m", "metricloop.cli", "score", "--list"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    pipe.stdout.close()
    assert pipe.stderr.read() == b""
    assert pipe.wait(60) == 141


@pytest.mark.parametrize("name", ["run", "status", "compare", "report", "track", "suggest", "score", "audit"])
def test_a_folder_that_is_no_workspace_is_named(name, tmp_path, capfd):
    assert main([name, "-C", str(tmp_path / "not here")]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"metricloop {name}: ")
    assert "not here" in err
    assert "Traceback" not in err
    assert "-C not" not in err
    assert "/not here --" not in err


def test_output_goes_to_stderr_and_back(capfd):
    print("before")
    with command.output_to_stderr():
        print("progress")
        subprocess.run([sys.executable, "-c", "print('of a process')"], check=True)
    print("after")
    out, err = capfd.readouterr()
    assert out == "before\nafter\n"
    assert sorted(err.splitlines()) == ["of a process", "progress"]


NEEDS = {"reproduce": ["random.0"], "relocate": ["x"], "export": ["best", "out"], "import-labels": ["x"],
         "fix": ["x.json"], "new-metric": ["mine"], "add": ["random"], "try": ["mine.py"], "adopt": ["mine"],
         "mend": ["mine.py"], "bundle": ["out"], "learn": ["."]}  # fmt: skip
NO_WORKSPACE_NEEDED = {"init", "doctor", "takehome", "predict"}


@pytest.mark.parametrize("name", sorted(set(ALL) - NO_WORKSPACE_NEEDED))
def test_every_command_says_in_a_line_that_an_empty_folder_is_no_workspace(name, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([name, *NEEDS.get(name, [])]) == 1
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1
    assert re.match(rf"metricloop {name}: .*(this is not a|no detector folder, no bundle and no) workspace; ", told[0])
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_below_the_folder_is_offered(tmp_path, capsys, monkeypatch):
    for file in ("params.yaml", "arms.yaml"):
        (tmp_path / "my lions").mkdir(exist_ok=True)
        (tmp_path / "my lions" / file).touch()
        (tmp_path / "clone of metricloop/metricloop/cli").mkdir(parents=True, exist_ok=True)
        (tmp_path / "clone of metricloop" / file).touch()
    (tmp_path / "clone of metricloop/metricloop/cli/main.py").touch()
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 1
    assert capsys.readouterr().err.endswith("`metricloop init DIR --data SOURCE`, or name one: -C 'my lions'\n")
    assert main(["compare", "-C", "none"]) == 1
    assert f"{tmp_path / 'none'}: this is not a workspace" in capsys.readouterr().err


def test_prefect_neither_sends_usage_data_nor_prints_a_notice_of_it(tmp_path):
    code = """
from metricloop.cli.main import main
main(["--version"])
from prefect.analytics import is_telemetry_enabled
print(is_telemetry_enabled())
"""
    leader, terminal = pty.openpty()  # the notice is printed to terminals only, and never where CI is set
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    shown = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal,
        text=True, check=True,
    ).stdout  # fmt: skip
    printed = os.read(leader, 4096) if select.select([leader], [], [], 0)[0] else b""
    os.close(terminal)
    os.close(leader)
    assert shown.splitlines()[-1] == "False"
    assert b"anonymous" not in printed
    assert not (tmp_path / "prefect/.sdk_telemetry").exists()
