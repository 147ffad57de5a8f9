"""What take-home applications use works inside the walls as it does outside, without a new system call."""

import textwrap

import pytest

from metricloop.sandbox.limits import Limits
from metricloop.sandbox.project import run
from metricloop.takehome.contract import PACKAGES

pytestmark = pytest.mark.usefixtures("walls")

LIMITS = Limits(memory_mb=2048, batch_seconds=60, processes=64, open_files=256)
WORKS = {
    "scikit-learn": """
        import joblib, numpy as np
        from joblib import Parallel, delayed
        from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        chance = np.random.default_rng()  # the kernel's entropy
        X = chance.normal(size=(300, 8)); y = X[:, 0] > 0
        print(RandomForestClassifier(n_jobs=-1).fit(X, y).score(X, y) > 0.9)
        print(HistGradientBoostingClassifier(max_iter=5).fit(X, y).score(X, y) > 0.8)
        print(GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, n_jobs=-1).fit(X, y).best_score_ > 0.8)
        model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["one two", "three"] * 5, ["a", "b"] * 5)
        joblib.dump(model, "model.joblib", compress=3)
        print(joblib.load("model.joblib").predict(["two"]))
        print(Parallel(n_jobs=2)(delayed(abs)(n) for n in (-1, 2)))
        """,
    "pandas": """
        import pandas as pd
        table = pd.DataFrame({"text": ["a, b", "c"], "when": pd.to_datetime(["2026-01-01", "2026-07-01"], utc=True)})
        table["when"] = table["when"].dt.tz_convert("Europe/Berlin")
        table.to_csv("table.csv", index=False)
        print(pd.read_csv("table.csv").shape, *table["when"].dt.hour)
        """,
    "pages and pictures": """
        import io
        import numpy as np, scipy.ndimage
        from bs4 import BeautifulSoup
        from PIL import Image, ImageFilter
        print(BeautifulSoup("<p>a&nbsp;<b>b</b></p>", "html.parser").p.get_text().split())
        picture = Image.fromarray(scipy.ndimage.gaussian_filter(np.eye(8) * 255, 1).astype(np.uint8))
        for ending in ("png", "jpeg"):
            stream = io.BytesIO()
            picture.resize((4, 4)).filter(ImageFilter.BLUR).save(stream, ending)
            print(Image.open(stream).size)
        """,
    "flask": """
        from flask import Flask, jsonify, request
        app = Flask(__name__)
        @app.post("/predict")
        def predict(): return jsonify(found=request.get_json()["text"], files=sorted(request.files))
        client = app.test_client()
        print(client.post("/predict", json={"text": "a"}).json, client.post("/predict", data="x").status_code)
        """,
    "fastapi": """
        import asyncio
        from contextlib import asynccontextmanager
        from fastapi import FastAPI, UploadFile
        from fastapi.testclient import TestClient
        from pydantic import BaseModel
        @asynccontextmanager
        async def started(app):
            app.state.model = 3
            yield
        app = FastAPI(lifespan=started)
        class Text(BaseModel): number: int
        @app.post("/plain")
        def plain(text: Text): return {"number": text.number}
        @app.post("/later")
        async def later(text: Text):
            await asyncio.sleep(0.01)
            return {"number": text.number + app.state.model}
        @app.post("/file")
        async def file(file: UploadFile): return {"size": len(await file.read()), "kind": file.content_type}
        with TestClient(app) as client:
            print(client.post("/plain", json={"number": 1}).json(), client.post("/later", json={"number": 1}).json())
            print(client.post("/later", json={"number": "x"}).status_code)
            print(client.post("/file", files={"file": ("a.png", b"x" * 2_000_000)}).json())
        """,
    "pytest": """
        import pathlib, pytest, textwrap
        pathlib.Path("test_it.py").write_text(textwrap.dedent('''
            import pytest
            def test_one(tmp_path, capsys, monkeypatch):
                (tmp_path / "a").write_text("1"); print("said"); monkeypatch.setenv("A", "b")
                assert capsys.readouterr().out.strip() == "said"
            @pytest.mark.parametrize("n", [1, 2])
            def test_two(n): assert n < 2
            '''))
        print("status", int(pytest.main(["-q", "-p", "no:cacheprovider", "test_it.py"])))
        """,
    "a network": """
        from flask import Flask
        try:
            Flask("app").run(port=5001)
        except PermissionError as error:
            print("refused")
        import httpx
        try:
            httpx.get("http://127.0.0.1:1", timeout=1)
        except httpx.ConnectError:
            print("refused")
        """,
}
PRINTS = {
    "scikit-learn": "True\nTrue\nTrue\n['a']\n[1, 2]\n",
    "pandas": "(2, 2) 1 2\n",
    "pages and pictures": "['a', 'b']\n(4, 4)\n(4, 4)\n",
    "flask": "{'files': [], 'found': 'a'} 415\n",
    "fastapi": "{'number': 1} {'number': 4}\n422\n{'size': 2000000, 'kind': 'image/png'}\n",
    "pytest": "1 failed, 2 passed",
    "a network": "refused\n",
}


@pytest.fixture(scope="module", autouse=True)
def proven_once():
    """The self-test is for another file."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("metricloop.sandbox.supervisor.prove", lambda sandbox: None)
        yield


def outcome_of(code, folder):
    (folder / "main.py").write_text(textwrap.dedent(code))
    outcome = run(folder, ["main.py"], LIMITS)
    assert (outcome.status, outcome.errors if "flask" not in outcome.errors.lower() else "") == (0, ""), outcome
    return outcome.output


@pytest.mark.parametrize(
    "what", [pytest.param(w, marks=[pytest.mark.slow] if w == "scikit-learn" else []) for w in WORKS]
)
def test_it_works(what, tmp_path):
    assert PRINTS[what] in outcome_of(WORKS[what], tmp_path)


@pytest.mark.slow
def test_every_package_on_the_list_can_be_imported(tmp_path):
    code = f"import importlib\nfor name in {sorted(PACKAGES)!r}:\n    importlib.import_module(name)\n    print(name)\n"
    assert outcome_of(code, tmp_path).split() == sorted(PACKAGES)
