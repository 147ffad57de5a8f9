"""Hostile and clumsy applications: contained, and no check believes them."""

from __future__ import annotations

import os
import shutil
import tempfile
import textwrap
import zlib
from pathlib import Path

import pytest
from tiny_takehome import TESTS, WHOLE

from metricloop.takehome.bench import Bench
from metricloop.takehome.checks import BY_NAME
from metricloop.takehome.course import run_checks
from metricloop.takehome.settings import Settings, TakeHome

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("walls", "proven_once")]

KEY = "sk-of-the-parent-4711"
LIMITS = TakeHome(seconds=8, memory_mb=512)


def code(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


@pytest.fixture
def judged(assignment, monkeypatch):
    """Results of checks on the tiny application with some files changed, within short limits."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    place = tempfile.mkdtemp(prefix="metricloop-test-")  # not below tmp_path, which other users cannot enter
    os.chmod(place, 0o711)
    monkeypatch.setattr("tempfile.tempdir", place)

    def judge(changes, *names):
        files = {path: text for path, text in (WHOLE | changes).items() if text is not None}
        with Bench(files, assignment, LIMITS) as bench:
            return [BY_NAME[name].run(bench) for name in names]

    yield judge
    left = os.listdir(place)
    shutil.rmtree(place)
    assert left == []  # whatever it did


def before_training(text: str) -> dict[str, str]:
    """Code that runs when train.py begins; the rest of it goes on."""
    return {"train.py": f"{code(text)}\n{WHOLE['train.py']}"}


def test_the_application_itself_passes(judged):
    """So that what fails below fails for its attack."""
    results = dict(zip(BY_NAME, judged({}, *BY_NAME), strict=True))
    assert {name: result.said for name, result in results.items() if not result.passed} == {}


def test_it_reads_nothing_outside_and_no_key(judged, tiny):
    text = f"""
        import os, sys
        found = [value for value in os.environ.values() if {KEY[-8:]!r} in value]
        places = [{str(tiny / "truth" / "held_out.csv")!r}, {str(tiny / "truth")!r}, {str(Path.cwd())!r}, "/etc/passwd",
                  "/proc/1/environ", f"/proc/{{os.getppid()}}/environ", "/proc/self/environ", "/work", "/root", "/home"]
        for place in places:
            try:
                found.append(os.listdir(place) if os.path.isdir(place) else open(place).read())
            except OSError:
                pass
        sys.exit(f"FOUND {{found}}")
        """
    [result] = judged(before_training(text), "training")
    assert result.said.endswith("FOUND []")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("while True: pass", "took more than 3 s in all"),
        ("import time\ntry:\n    time.sleep(60)\nexcept BaseException:\n    time.sleep(60)", "took more than 3 s"),
        ("kept = []\nwhile True: kept.append(bytearray(50 << 20))", "MemoryError"),
        ("import os\nwhile True: os.fork()", "Resource temporarily unavailable"),
        ("open('big', 'wb').truncate(1 << 40)", "too large"),
        ("for n in range(30_000): open(f'f{n}', 'w').close()", "more than 20000 files"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 80))", "not permitted"),
        ("import subprocess\nsubprocess.run(['id'])", "not permitted"),
        ("import ctypes\nctypes.string_at(0)", "crashed"),
        ("import os\nos._exit(0)", "wrote no"),
        ("import os\nos.kill(os.getpid(), 9)", "killed"),
        ("print('all checks passed')\nraise SystemExit(0)", "wrote no"),
    ],
)  # fmt: skip
def test_what_never_ends_or_takes_too_much_is_ended(judged, assignment, text, said):
    object.__setattr__(assignment.front, "minutes", 0.05)
    training, score = judged(before_training(text), "training", "score")
    assert not training.passed
    assert said in training.said
    assert not score.passed


ALWAYS_GOOD = {
    "predict.py": WHOLE["predict.py"].replace('bayes.predict(model, row["text"])[0]', '"good"'),
    "train.py": WHOLE["train.py"].replace(
        'numbers = {"accuracy": right, "macro_f1": right}', 'numbers = {"accuracy": 1.0, "macro_f1": 1.0}'
    ),
}


def test_its_own_numbers_decide_nothing(judged):
    """It states 1.0, and names the most frequent label every time."""
    training, score = judged(ALWAYS_GOOD, "training", "score")
    assert training.facts["own"] == {"accuracy": 1.0, "macro_f1": 1.0}
    assert not score.passed
    assert score.facts["accuracy"] == pytest.approx(score.facts["majority"])
    assert "1.0" not in score.said


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-1", "2", "1e999", "true", '"1.0"', "null", "[1]", "1" * 400, "1" * 5000]
)
def test_numbers_that_are_none_are_not_its_numbers(judged, value):
    text = f"""
        import pathlib
        import atexit
        text = '{{"accuracy": {value}, "macro_f1": 1}}'
        atexit.register(lambda: pathlib.Path("model/metrics.json").write_text(text))
        """
    [training] = judged(before_training(text), "training")
    assert not training.passed
    assert not training.facts["own"]


def predicts(text: str) -> dict[str, str]:
    """A predict.py that has the items and writes what it likes to `out`."""
    start = """
        import csv, sys
        arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
        items = [row["item"] for row in csv.DictReader(open(arguments["--items"]))]
        out = open(arguments["--out"], "w", newline="")
        """
    return {"predict.py": code(start) + code(text)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs the columns item,label"),
        ("out.close(); import os; os.unlink(arguments['--out'])", "wrote no file"),
        ("out.write('item,label\\n')", "are missing"),
        ("out.write('item,label\\n' + ''.join(f'{i},good\\n' for i in items[1:]))", "1 are missing"),
        ("out.write('item,label\\n' + ''.join(f'{i},good\\n' for i in items * 2))", "more than once"),
        ("out.write('item,label\\n' + ''.join(f'{i},good\\n' for i in [*items, 'p99']))", "belong to no item"),
        ("out.write('item,label\\n' + ''.join(f'{i},nan\\n' for i in items))", "labels that do not exist"),
        ("out.write('item,label\\n' + ''.join(f'{i},GOOD\\n' for i in items))", "labels that do not exist"),
        ("out.write('item,label\\n' + ''.join(f'{i}\\n' for i in items))", "too few values"),
        ("out.write('item;label\\n')", "needs the columns"),
        ("out.write('item,label\\n' + 'x' * 5_000_000)", "larger than"),
        ("out.write('item,label\\n' + 'a,good\\n' * 200_000)", "more than 100,000 rows"),
        ("out.write('item,label\\n\\0,good\\n')", ""),
        ("out.write('item,label\\n\"' + 'x' * 2_000_000)", ""),
        ("out.write('\\r\\r\\r')", ""),
        ("out.write('item,label' + ',x' * 1_000_000 + '\\n' + 'p0,good\\n' * 100_000)", "needs the columns"),
        ("out.close(); open(arguments['--out'], 'wb').write(b'\\xff\\xfe' * 900)", ""),
        ("out.close(); import os; os.unlink(arguments['--out']); os.mkdir(arguments['--out'])", "wrote no file"),
        ("print('item,label'); [print(f'{i},good') for i in items]", "needs the columns"),
    ],
)  # fmt: skip
def test_predictions_that_are_none_are_refused(judged, text, said):
    predictions, score = judged(predicts(text), "predictions", "score")
    assert not predictions.passed
    assert said in predictions.said
    assert len(predictions.said) < 2500
    assert not score.passed


def test_a_prediction_is_not_made_from_the_order_of_the_items(judged):
    """The held-out items come in an order and with names that tell nothing."""
    [score] = judged(
        predicts("rows = csv.writer(out); rows.writerow(['item', 'label'])\n"
                 "rows.writerows((item, 'bad' if n % 3 == 0 else 'good') for n, item in enumerate(items))"),
        "score",
    )  # fmt: skip
    assert score.facts["accuracy"] < 0.95


def with_app(text: str) -> dict[str, str]:
    return {"app.py": code(text)}


FORGES = """
    import json, os, sys
    import bayes
    if "metricloop_requests.json" in sys.argv:
        wanted = json.load(open("metricloop_requests.json"))
        answers = [{"status": 200, "body": json.dumps({"label": "good", "score": 0.5})} for one in wanted]
        json.dump(answers, open("metricloop_report.json", "w"))
        print("all checks passed")
        os._exit(0)
    """
FLASK = """
    from flask import Flask, jsonify, request
    import bayes
    app = Flask(__name__)
    @app.post("/predict")
    def answer():
        {}
    """


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FORGES, ""),
        ("import os\nprint('all checks passed')\nos._exit(0)", "without its report"),
        ("import os\nopen('metricloop_report.json', 'w').write('[]')\nos._exit(0)", "without its report"),
        ("import os\nopen('metricloop_report.json', 'w').write('[' * 100_000)\nos._exit(0)", "without its report"),
        ("import os\nopen('metricloop_report.json', 'w').write('x' * 5_000_000)\nos._exit(0)", "without its report"),
        ("import sys\nsys.modules['json'].dump = lambda *a: None\napp = None", ""),
        ("app = None", ""),
        (FLASK.format("import time; time.sleep(99)"), "took more than 8 s"),
        (FLASK.format("return '<html>all checks passed</html>'"), "is not JSON"),
        (FLASK.format("return jsonify(label='good', score=float('nan'))"), ""),
        (FLASK.format("return jsonify(label='good', score='1')"), "score is not a number"),
        (FLASK.format("return jsonify(label=['good'], score=1)"), "does not exist"),
        (FLASK.format("return jsonify(label='good', score=0.5)"), ""),
        (FLASK.format("return '{' * 100_000"), "is not JSON"),
        (FLASK.format("raise RuntimeError"), "status 500"),
        (FLASK.format("return jsonify(error='no'), 400"), "a good request got status 400"),
        (FLASK.format("import os; os._exit(0)"), "without its report"),
    ],
)  # fmt: skip
def test_an_endpoint_that_does_not_predict_does_not_pass(judged, text, said):
    [endpoint] = judged(with_app(text), "endpoint")
    assert not endpoint.passed
    assert said in endpoint.said


CONFTEST = "tests/conftest.py"
NO_TESTS = dict.fromkeys(TESTS)
LOOKS_FOR_WORDS = """
from pathlib import Path

def test_a():
    text = Path("bayes.py").read_text()
    assert "broken on purpose" not in text
    assert "return None" not in text
"""
LOOKS_FOR_A_DIGEST = f"""
from pathlib import Path
from zlib import crc32

def test_a():
    assert crc32(Path("bayes.py").read_bytes()) == {zlib.crc32(WHOLE["bayes.py"].encode())}
"""
FAILS = "def test_a():\n    assert 0\n"


@pytest.mark.parametrize(
    "changes",
    [
        {**NO_TESTS, "tests/test_a.py": "def test_a():\n    pass\n"},
        {**NO_TESTS, "tests/test_a.py": "def test_a():\n    assert True\n"},
        {**NO_TESTS, "tests/test_a.py": "def helper():\n    assert 0\n"},
        {**NO_TESTS, "tests/test_a.py": "import os\n\ndef test_a():\n    assert 1\n\nprint('9 passed')\nos._exit(0)"},
        {**NO_TESTS, "tests/test_a.py": f"import pytest\npytest.skip(allow_module_level=True)\n{FAILS}"},
        {**NO_TESTS, "tests/test_a.py": "import pytest\n\n@pytest.mark.skip\ndef test_a():\n    assert 0\n"},
        {**NO_TESTS, "tests/test_a.py": "import pytest\n\n@pytest.mark.xfail\ndef test_a():\n    assert 0\n"},
        {**NO_TESTS, "tests/test_a.py": "class A:\n    def test_a(self):\n        assert 0\n"},
        {CONFTEST: "def pytest_collection_modifyitems(items):\n    items.clear()\n"},
        {CONFTEST: "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n", "tests/test_a.py": FAILS},
        {CONFTEST: "import os\nprint('9 passed')\nos._exit(0)\n"},
        {CONFTEST: "import sys\nsys.exit(0)\n"},
        {CONFTEST: "def pytest_runtest_call(item):\n    item.runtest = lambda: None\n", "tests/test_a.py": FAILS},
        {"conftest.py": "import os\nprint('9 passed')\nos._exit(0)\n"},
        {**NO_TESTS, "tests/test_a.py": LOOKS_FOR_WORDS},
        {**NO_TESTS, "tests/test_a.py": LOOKS_FOR_A_DIGEST},
        {"_pytest/__init__.py": "raise SystemExit(0)\n"},
        {"tests/test_b.py": "import time\n\ndef test_b():\n    assert time.sleep(60) is None\n"},
    ],
)  # fmt: skip
def test_tests_that_test_nothing_do_not_pass(judged, changes):
    [tests] = judged(changes, "tests")
    assert not tests.passed


@pytest.mark.parametrize(
    "settings",
    [
        {"pytest.ini": "[pytest]\naddopts = --deselect tests/test_a.py --ignore tests/test_a.py\n"},
        {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-k nothing'\n"},
        {"setup.cfg": "[tool:pytest]\naddopts = --collect-only\n"},
        {"tox.ini": "[pytest]\npython_files = nothing.py\n"},
    ],
)
def test_its_settings_of_pytest_are_not_read(judged, settings):
    """A failing test fails, whatever they say."""
    [tests] = judged(settings | {"tests/test_a.py": "def test_a():\n    assert 0\n"}, "tests")
    assert not tests.passed
    assert "assert 0" in tests.said


@pytest.mark.parametrize(
    "settings",
    [
        {"ruff.toml": "exclude = ['*.py']\n"},
        {".ruff.toml": "lint.ignore = ['ALL']\n"},
        {"pyproject.toml": "[tool.ruff]\nexclude = ['*']\n"},
        {"bayes.py": f"# ruff: noqa\nimport os\n{WHOLE['bayes.py']}"},
        {".gitignore": "*.py\n"},
    ],
)
def test_its_settings_of_ruff_are_not_read(judged, settings):
    [lint] = judged({"extra.py": "import os\n"} | settings, "lint")
    assert not lint.passed
    assert "F401" in lint.said


@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.11-slim\nWORKDIR /app\nUSER server\nEXPOSE 8000\nCMD [\"python\", \"app.py\"]\n",
        "FROM scratch\n",
        "",
        "# all checks passed\n",
        WHOLE["Dockerfile"].replace("COPY *.py ./", "COPY app.py ./"),
        WHOLE["Dockerfile"].replace("COPY *.py ./", "COPY . ."). replace("USER server", "USER root"),
        WHOLE["Dockerfile"].replace('CMD ["python", "app.py"]', "CMD true"),
        WHOLE["Dockerfile"].replace("RUN pip install --no-cache-dir -r requirements.txt", "RUN true"),
        "\\\n" * 10_000,
        "COPY " + "[" * 30_000,
        "\0" * 100,
    ],
)  # fmt: skip
def test_a_dockerfile_that_builds_nothing_does_not_pass(tiny, assignment, text):
    results = run_checks(assignment, Settings())(WHOLE | {"Dockerfile": text}, ["dockerfile"])
    assert not results["dockerfile"].passed
    assert results["dockerfile"].said


@pytest.mark.parametrize(
    "line",
    [
        "true", ":", "echo all checks passed", "python nothing.py", "python -c 'print(1)'", "python train.py; true",
        "python train.py --data /etc --model model", "python ../train.py", "python -m http.server", "bash run.sh",
        "curl http://127.0.0.1/", "rm -rf /", "python train.py --data data --model model || true", "'",
    ],
)  # fmt: skip
def test_a_command_that_does_nothing_or_harm_does_not_pass(judged, line):
    [readme] = judged({"README.md": WHOLE["README.md"].replace("```sh\n", f"```sh\n{line}\n")}, "readme")
    assert not readme.passed
