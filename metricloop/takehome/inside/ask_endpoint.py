"""Send requests to the application's test client and write the answers to a file; they are judged outside.

usage: FILE REQUESTS REPORT, where REQUESTS holds a list of {"body", "type"}
"""

import json
import os
import sys
import traceback


def main(requests, report):
    os.environ["MODEL"] = "model"
    with open(requests, encoding="utf-8") as file:
        wanted = json.load(file)
    answers = []
    with client() as post:
        for request in wanted:
            try:
                status, body = post(request["body"].encode(), request["type"])
                answers.append({"status": status, "body": body[:10_000]})
            except Exception:
                answers.append({"status": 500, "body": "", "error": traceback.format_exc()[-3000:]})
    with open(report, "w", encoding="utf-8") as file:
        json.dump(answers, file)


def client():
    """A context that gives a function (body, content type) -> (status, text), for Flask or for FastAPI."""
    from contextlib import contextmanager

    from app import app

    @contextmanager
    def of_flask():
        app.config["PROPAGATE_EXCEPTIONS"] = True  # so that an error comes with its traceback
        flask = app.test_client()

        def post(body, kind):
            answer = flask.post("/predict", data=body, content_type=kind)
            return answer.status_code, answer.get_data(as_text=True)

        yield post

    @contextmanager
    def of_fastapi():
        from starlette.testclient import TestClient

        with TestClient(app) as session:

            def post(body, kind):
                answer = session.post("/predict", content=body, headers={"content-type": kind})
                return answer.status_code, answer.text

            yield post

    return of_flask() if hasattr(app, "test_client") else of_fastapi()


if __name__ == "__main__":
    main(*sys.argv[1:])
