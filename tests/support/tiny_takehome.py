"""A tiny take-home assignment, an application that does it, and a candidate that hands it in piece by piece."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from metricloop.llm.message import Message, Reply

GOOD = ("rises", "gains", "record", "profit", "wins")
BAD = ("falls", "loses", "fraud", "debt", "crash")
SUBJECTS = ("Lion Inc", "Panda Bank", "Bear Corp", "Otter Ltd")
ASSIGNMENT = """\
---
name: tiny
kind: text
labels: [good, bad]
train: train.csv
unseen: pages
minutes: 1
---
Tell good news from bad news. Each saved page in `pages/` holds headlines: `<li data-id="p1">...</li>`.
"""


def rows(count: int) -> list[tuple[str, str]]:
    """Texts with their labels, all different."""
    found = []
    for number in range(count):
        words, label = ((GOOD, "good"), (BAD, "bad"))[number % 3 == 0]
        found.append((f"{SUBJECTS[number % 4]} {words[number % 5]} in week {number}", label))
    return found


def write_tiny(folder: Path) -> None:
    """Write the assignment with its data and its truth."""
    (folder / "data" / "pages").mkdir(parents=True)
    (folder / "truth").mkdir()
    table = "\n".join(["text,label", *(f"{text},{label}" for text, label in rows(60))])
    (folder / "data" / "train.csv").write_text(table + "\n")
    held = "\n".join(["text,label", *(f"{text} again,{label}" for text, label in rows(30))])
    (folder / "truth" / "held_out.csv").write_text(held + "\n")
    unseen = rows(16)
    for page in range(2):
        items = "".join(f'<li data-id="p{n}">{unseen[n][0]} today</li>' for n in range(8 * page, 8 * page + 8))
        (folder / "data" / "pages" / f"{page}.html").write_text(f"<html><ul>{items}</ul></html>")
    truth = "\n".join(["item,label,text", *(f"p{n},{label},{text} today" for n, (text, label) in enumerate(unseen))])
    (folder / "truth" / "unseen.csv").write_text(truth + "\n")
    (folder / "ASSIGNMENT.md").write_text(ASSIGNMENT)


def text(code: str) -> str:
    return textwrap.dedent(code).lstrip("\n")


TRAINING = {
    "bayes.py": text('''
        """A naive Bayes classifier of words, saved as JSON."""

        import json
        import math
        from collections import Counter
        from pathlib import Path


        def fit(pairs):
            counts = {}
            for sentence, label in pairs:
                counts.setdefault(label, Counter()).update(sentence.lower().split())
            return {"counts": {label: dict(words) for label, words in counts.items()}}


        def predict(model, sentence):
            """The label of a text and its probability."""
            counts = model["counts"]
            logs = {}
            for label, words in counts.items():
                total = sum(words.values()) + 100
                logs[label] = sum(math.log((words.get(w, 0) + 1) / total) for w in sentence.lower().split())
            top = max(logs.values())
            weights = {label: math.exp(value - top) for label, value in logs.items()}
            label = max(sorted(weights), key=weights.get)
            return label, weights[label] / sum(weights.values())


        def save(model, folder):
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / "bayes.json").write_text(json.dumps(model))


        def load(folder):
            return json.loads((Path(folder) / "bayes.json").read_text())
        '''),
    "train.py": text('''
        """Train and evaluate."""

        import argparse
        import csv
        import json
        from pathlib import Path

        import bayes


        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--data", required=True)
            parser.add_argument("--model", required=True)
            args = parser.parse_args()
            with open(Path(args.data) / "train.csv", newline="") as file:
                pairs = [(row["text"], row["label"]) for row in csv.DictReader(file)]
            held, rest = pairs[::5], [pair for number, pair in enumerate(pairs) if number % 5]
            model = bayes.fit(rest)
            right = sum(bayes.predict(model, sentence)[0] == label for sentence, label in held) / len(held)
            bayes.save(bayes.fit(pairs), args.model)
            numbers = {"accuracy": right, "macro_f1": right}
            (Path(args.model) / "metrics.json").write_text(json.dumps(numbers))
            print(numbers)


        if __name__ == "__main__":
            main()
        '''),
}  # fmt: skip
PREDICTIONS = {
    "extract.py": text('''
        """Find the headlines in saved pages."""

        import argparse
        import csv
        import re
        from pathlib import Path


        def extract(page):
            return re.findall(r'<li data-id="(\\w+)">(.*?)</li>', page)


        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--pages", required=True)
            parser.add_argument("--out", required=True)
            args = parser.parse_args()
            with open(args.out, "w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["item", "text"])
                for path in sorted(Path(args.pages).glob("*.html")):
                    writer.writerows(extract(path.read_text()))


        if __name__ == "__main__":
            main()
        '''),
    "predict.py": text('''
        """Predict the labels of items."""

        import argparse
        import csv

        import bayes


        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--model", required=True)
            parser.add_argument("--items", required=True)
            parser.add_argument("--out", required=True)
            args = parser.parse_args()
            model = bayes.load(args.model)
            with open(args.items, newline="") as file:
                items = list(csv.DictReader(file))
            with open(args.out, "w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["item", "label"])
                for row in items:
                    writer.writerow([row["item"], bayes.predict(model, row["text"])[0]])


        if __name__ == "__main__":
            main()
        '''),
}  # fmt: skip
ENDPOINT = {
    "app.py": text('''
        """The endpoint."""

        import os

        from flask import Flask, jsonify, request

        import bayes

        app = Flask(__name__)


        @app.post("/predict")
        def answer():
            body = request.get_json(silent=True)
            if not isinstance(body, dict) or not isinstance(body.get("text"), str):
                return jsonify(error="give a JSON object with the field text"), 400
            label, score = bayes.predict(bayes.load(os.environ.get("MODEL", "model")), body["text"])
            return jsonify(label=label, score=score)


        if __name__ == "__main__":
            app.run(host="0.0.0.0", port=8000)
        '''),
}  # fmt: skip
TESTS = {
    "tests/test_bayes.py": text('''
        import bayes
        from app import app
        from extract import extract

        PAIRS = [("up up", "good"), ("down down", "bad")]


        def test_it_learns():
            assert bayes.predict(bayes.fit(PAIRS), "up")[0] == "good"


        def test_items_are_found():
            assert extract('<li data-id="a">b</li>') == [("a", "b")]


        def test_bad_input_is_refused():
            assert app.test_client().post("/predict", json={}).status_code == 400
        '''),
}  # fmt: skip
DOCS = {
    "requirements.txt": "flask\n",
    "Dockerfile": text("""
        FROM python:3.11-slim
        WORKDIR /app
        COPY requirements.txt .
        RUN pip install --no-cache-dir -r requirements.txt
        COPY *.py ./
        COPY model/ model/
        RUN useradd server
        USER server
        EXPOSE 8000
        CMD ["python", "app.py"]
        """),
    "README.md": text("""
        # News

        ```sh
        pip install -r requirements.txt
        python train.py --data data --model model
        python extract.py --pages data/pages --out items.csv
        python predict.py --model model --items items.csv --out predictions.csv
        python -m pytest tests
        python app.py
        docker build -t news .
        curl -X POST localhost:8000/predict -H "Content-Type: application/json" -d '{"text": "Lion Inc gains"}'
        ```
        """),
}  # fmt: skip
STRUCTURE = {
    "files_of_items.py": text('''
        """Read and write CSV files."""

        import csv


        def read(path):
            with open(path, newline="") as file:
                return list(csv.DictReader(file))


        def write(path, header, rows):
            with open(path, "w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(header)
                writer.writerows(rows)
        '''),
    "predict.py": text('''
        """Predict the labels of items."""

        import argparse

        import bayes
        import files_of_items


        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--model", required=True)
            parser.add_argument("--items", required=True)
            parser.add_argument("--out", required=True)
            args = parser.parse_args()
            model = bayes.load(args.model)
            found = [(row["item"], bayes.predict(model, row["text"])[0]) for row in files_of_items.read(args.items)]
            files_of_items.write(args.out, ["item", "label"], found)


        if __name__ == "__main__":
            main()
        '''),
}  # fmt: skip
PIECES = {
    "training": TRAINING, "predictions": PREDICTIONS, "endpoint": ENDPOINT, "tests": TESTS, "docs": DOCS,
    "structure": STRUCTURE,
}  # fmt: skip
WHOLE = TRAINING | PREDICTIONS | ENDPOINT | TESTS | DOCS | STRUCTURE
HEADINGS = {
    "training and evaluation": "training", "unseen items and their predictions": "predictions",
    "the prediction endpoint": "endpoint", "tests": "tests", "Docker image and README": "docs",
}  # fmt: skip


def handed(files: Mapping[str, str | None], note: str = "Done.") -> str:
    """An answer with these files."""
    return json.dumps({"files": [{"path": path, "content": content} for path, content in files.items()], "note": note})


def asked_for(question: str) -> tuple[str, int]:
    """What the last message asks for: plan, a piece, structure or improve; and the number of the repair."""
    first = question.splitlines()[0]
    if found := re.match(r"# Piece \d of \d: (.*)", first):
        return HEADINGS[found[1]], 0
    if found := re.match(r"# (.*): not yet right \(repair (\d+)", first):
        titles = {title[:1].upper() + title[1:]: name for title, name in HEADINGS.items()}
        return (titles | {"Structure": "structure", "Improvement": "improve"})[found[1]], int(found[2])
    if first.startswith("# Structure"):
        return "structure", 0
    return ("improve" if first.startswith("# Round") else "plan"), 0


class Candidate:
    """A model that hands in the pieces of the tiny application.

    wrong: (piece, attempt) -> the answer in place of the right one: files, a text, a Reply or an error. asked: every
    list of messages.
    """

    def __init__(self, wrong: Mapping[tuple[str, int], object] | None = None) -> None:
        self.wrong, self.asked = dict(wrong or {}), list[list[Message]]()

    def complete(self, messages, schema, *, most_tokens, seconds) -> Reply:
        self.asked.append(list(messages))
        wanted = asked_for(messages[-1].text)
        answer = self.wrong.get(wanted, self.right(wanted[0]))
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Reply):
            return answer
        said = answer if isinstance(answer, str) else handed(answer)
        return Reply(said, "stub-1", "stop", "schema", 1000, 100, False, 2.0)

    @staticmethod
    def right(piece: str) -> object:
        if piece == "plan":
            return json.dumps({"plan": "Count words, then compare."})
        return PIECES.get(piece, {"NOTES.md": "Nothing to improve.\n"})
