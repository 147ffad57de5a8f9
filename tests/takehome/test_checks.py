"""The checks of an application, in the sandbox: the good one passes them all, and each kind of fault is found."""

from __future__ import annotations

import pytest
from tiny_takehome import WHOLE

from metricloop.takehome.checks import BY_NAME, CHECKS, lint, own_tests, readme, structure

pytestmark = pytest.mark.slow


@pytest.fixture
def said(bench):
    """What a check says of the tiny application with changed files (None: without it); "" when it passes."""

    def run(name, changes=None):
        files = {path: text for path, text in (WHOLE | (changes or {})).items() if text is not None}
        return BY_NAME[name].run(bench(files)).said

    return run


def changed(path, old, new):
    assert old in WHOLE[path], old
    return {path: WHOLE[path].replace(old, new)}


def test_a_good_application_passes_every_check(bench):
    one = bench(WHOLE)
    results = {check.name: check.run(one) for check in CHECKS}
    assert {name: result.said for name, result in results.items()} == dict.fromkeys(results, "")
    score = results["score"].facts
    assert (score["accuracy"], score["items"]) == (1.0, 46)
    assert score["majority"] == pytest.approx(30 / 46)  # 20 of 30 held-out and 10 of 16 unseen items are good
    assert results["tests"].facts == {"tests": 3, "mutants": 2, "killed": 2}
    assert results["readme"].facts == {"commands": 8, "ran": 4}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"train.py": None}, "no train.py"),
        ({"train.py": "import bayess\n"}, "No module named 'bayess'"),
        ({"train.py": "print('all checks passed')\n"}, "wrote no model file"),
        (changed("train.py", "numbers = {", "numbers = {} or {'accuracy': 'high'} or {"), "must be an object"),
        (changed("train.py", '"accuracy": right', '"accuracy": 98.5'), "from 0 to 1"),
        (changed("train.py", 'args.model) / "metrics.json"', 'args.model) / "numbers.json"'), "no metrics.json"),
        ({"train.py": "import sys\nsys.exit(3)\n"}, "ended with status 3"),
        ({"train.py": "import socket\nsocket.create_connection(('127.0.0.1', 80))\n"}, "Operation not permitted"),
    ],
)
def test_training(said, changes, expected):
    assert expected in said("training", changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"extract.py": None}, "no extract.py"),
        (changed("extract.py", '.glob("*.html")', '.glob("0.html")'), "8 are missing, such as 'p10', 'p11', 'p12'"),
        (changed("extract.py", "rows(extract", "rows(2 * extract"), "16 are there more than once"),
        (changed("extract.py", "return re.findall(", 'return [("x9", "text")] + re.findall('), "1 belong to no item"),
        (changed("extract.py", "(.*?)</li>", "(.*?</li>)"), "16 items have a text that is not theirs alone"),
        (changed("extract.py", '"item", "text"', '"id", "text"'), "needs the columns item,text; it has id,text"),
        (changed("predict.py", '["item", "label"], found', '["item", "label"], found[1:]'), "1 are missing"),
        (changed("predict.py", 'row["text"])[0])', 'row["text"])[0].upper())'), "do not exist: 'BAD', 'GOOD'"),
        (changed("predict.py", "files_of_items.write(args.out", "print(args.out"), "wrote no file to --out"),
        ({"train.py": "import bayess\n"}, "no trained model"),
    ],
)  # fmt: skip
def test_predictions(said, changes, expected):
    assert expected in said("predictions", changes)


def test_score_of_one_label_for_everything(said):
    constant = changed("bayes.py", "    return label, weights", '    label = "good"\n    return label, weights')
    assert "not better than always naming the most frequent label" in said("score", constant)


BODY = '        return jsonify(error="give a JSON object with the field text"), 400\n'


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"app.py": None}, "no app.py"),
        ({"app.py": "app = 5\n"}, "the test client of app.py"),
        (changed("app.py", "400", "500"), "bad input (an empty object) got status 500, not a 4xx"),
        (changed("app.py", BODY, "        pass\n"), "bad input"),
        (changed("app.py", "jsonify(label=label", 'jsonify(label="good"'), "another label than predict.py"),
        (changed("app.py", "jsonify(label=label", 'jsonify(label="fine"'), "a label that does not exist: 'fine'"),
        (changed("app.py", "score=score", "score=str(score)"), "score is not a number"),
        (changed("app.py", "score=score", "score=100 * score + 1"), "score is not a number"),
        (changed("app.py", "label=label, ", ""), "no object with label and score"),
        (changed("app.py", '"/predict"', '"/answer"'), "a good request got status 404"),
        (changed("app.py", "isinstance(body, dict)", "isinstance(body, dct)"), "NameError: name 'dct' is not defined"),
    ],
)
def test_endpoint(said, changes, expected):
    assert expected in said("endpoint", changes)


FASTAPI = '''"""The endpoint."""

import os

from fastapi import FastAPI
from pydantic import BaseModel, StrictStr

import bayes

app = FastAPI()


class Query(BaseModel):
    text: StrictStr


@app.post("/predict")
def answer(query: Query):
    label, score = bayes.predict(bayes.load(os.environ.get("MODEL", "model")), query.text)
    return {"label": label, "score": score}
'''


def test_endpoint_of_fastapi(said):
    assert said("endpoint", {"app.py": FASTAPI}) == ""
    loose = FASTAPI.replace("StrictStr", "StrictInt")
    assert "a good request got status 422" in said("endpoint", {"app.py": loose})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"README.md": None}, "no README.md"),
        ({"README.md": "# News\n\nRun it.\n"}, "has no command"),
        ({"README.md": "```sh\npython train.py --data data --model model\n```\n"}, "no command runs extract.py"),
        (changed("README.md", "train.py --data data", "train.py --dta data"), "does not run: `python train.py --dta"),
        (changed("README.md", "extract.py --pages", "scrape.py --pages"), "no command runs extract.py"),
        (changed("README.md", "items.csv --out predictions", "item.csv --out predictions"), "FileNotFoundError"),
        (changed("README.md", "python app.py", "python server.py"), "no file server.py"),
        (changed("README.md", "python app.py", "rm -rf /"), "not a command known here"),
        (changed("README.md", "python app.py", "python train.py | tee log"), "one plain command per line"),
        (changed("README.md", "docker build -t news .", "flask --app server:app run"), "no module server"),
    ],
)
def test_readme(said, changes, expected):
    assert expected in said("readme", changes)


TEST = "tests/test_bayes.py"
TEXT_TEST = f"""import pathlib


def test_the_text():
    assert len(pathlib.Path("bayes.py").read_text()) == {len(WHOLE["bayes.py"])}
"""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({TEST: None}, "no test function with an assert"),
        ({TEST: "def test_nothing():\n    pass\n"}, "no test function with an assert"),
        (changed(TEST, '== "good"', '== "bad"'), "AssertionError"),
        ({TEST: "def test_sum():\n    assert 1 + 1 == 2\n"}, "every predicting function raises an error"),
        ({TEST: "import bayes\n\n\ndef test_it():\n    bayes.predict(bayes.load('model'), 'up')\n    assert True\n"},
         "every predicting function returns nothing"),
        ({TEST: "import os\n\n\ndef test_it():\n    assert os._exit(0)\n"}, "still pass"),
        ({TEST: TEXT_TEST}, "laid out anew"),
    ],
)  # fmt: skip
def test_own_tests(said, changes, expected):
    assert expected in said("tests", changes)


def test_settings_of_the_application_change_no_test(said):
    """An addopts that collects nothing, and a plugin that calls everything passed, are not read."""
    bad = changed(TEST, '== "good"', '== "bad"')
    assert said("tests", bad | {"pytest.ini": "[pytest]\naddopts = --co\n"}) != ""
    assert said("tests", bad | {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--co'\n"}) != ""


class Files:
    """As much of a bench as checks read that run nothing."""

    def __init__(self, files):
        self.files = files


def test_lint():
    assert lint.check(Files(WHOLE)).said == ""
    found = lint.check(Files({"a.py": "import os\n\n\ndef f(x=[]):\n    return y  # noqa\n", "b.py": "x = (\n"}))
    assert "a.py:1: F401" in found.said
    assert "a.py:4: B006" in found.said
    assert "a.py:5: F821" in found.said
    assert "b.py:" in found.said
    ignored = lint.check(Files({"a.py": "import os\n", "ruff.toml": "lint.ignore = ['F']\n"}))
    assert "F401" in ignored.said


def test_structure():
    assert structure.check(Files(WHOLE)).said == ""
    alone = {path: WHOLE[path] for path in ("bayes.py", "train.py")}
    assert "bayes.py holds" in structure.check(Files(alone)).said
    long = {"bayes.py": WHOLE["bayes.py"] + "x = 1\n" * 200}
    assert "at most 200 in one file" in structure.check(Files(WHOLE | long)).said
    copied = {"app.py": WHOLE["app.py"] + WHOLE["bayes.py"].partition("def save")[2].join(["\n\ndef save", ""])}
    assert "the same code" not in structure.check(Files(WHOLE | copied)).said  # save has two statements alone
    copied = {"app.py": WHOLE["app.py"] + "\n\ndef p" + WHOLE["bayes.py"].partition("def p")[2]}
    assert "the same code is there twice: " in structure.check(Files(WHOLE | copied)).said
    lonely = {"predict.py": "import sys\n\nprint(sys.argv)\n"}
    assert "predict.py imports no module of the application" in structure.check(Files(WHOLE | lonely)).said


def test_which_functions_are_broken():
    files = {"a.py": "class M:\n    def predict_one(self):\n        return 1\n", "b.py": "def f():\n    return 2\n",
             "tests/test_a.py": "def test_predict():\n    assert 1\n"}  # fmt: skip
    assert own_tests.broken(files, own_tests.ast.parse("return None").body) == {
        "a.py": "class M:\n\n    def predict_one(self):\n        return None\n"
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```sh\na b\n# no\n$ c\n\n```", ["a b", "c"]),
        ("```bash\na\\\n  b\n```\n```python\nx\n```\n```console\nd\n```", ["a b", "d"]),
        ("```\na\n```", []),
    ],
)
def test_commands_of_a_readme(text, expected):
    assert readme.commands(text) == expected
