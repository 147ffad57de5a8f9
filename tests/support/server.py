"""A replacement for a language model: an HTTP server on this machine that gives the answers of a test."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATHS = ("/v1/chat/completions", "/v1/responses")


@dataclass(frozen=True)
class Answer:
    """One response. trouble: "" (none), silent (none until the server closes), drop (the connection breaks in the
    middle of the body), drip (the headers, then a blank every 20 ms for ever), drip-head (the same without headers).
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""


@dataclass(frozen=True)
class Asked:
    """A received request; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


def completion(
    text: str | None = None,
    finish: str | None = "stop",
    usage: tuple[int, int] | None = (11, 7),
    refusal: str | None = None,
    cached: int = 0,
    reasoning: int = 0,
    **message: Any,
) -> Answer:
    """A chat completion with one choice. usage: tokens read and written; cached, reasoning: of them; message: further
    fields of it.
    """
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": refusal, **message},
        "finish_reason": finish,
    }
    return _completion([choice], usage, cached, reasoning)


def no_choices() -> Answer:
    return _completion([], (11, 0))


def model_list(*names: str, **ends: str) -> Answer:
    """The models of a server. ends: a model's shutdown_date; its name with _ for every other character."""
    plain = {name: re.sub(r"\W", "_", name) for name in names}
    data = [{"id": name, "object": "model", "shutdown_date": ends.get(plain[name])} for name in names]
    return Answer(json.dumps({"object": "list", "data": data}).encode())


def failure(status: int, message: str = "", headers: Mapping[str, str] | None = None, **error: Any) -> Answer:
    """An error in the form of OpenAI. error: further fields, such as code and param."""
    body = {"error": {"message": message, "type": None, "param": None, "code": None, **error}}
    return Answer(json.dumps(body).encode(), status, headers or {})


def redirect(to: str, status: int = 307) -> Answer:
    return Answer(status=status, headers={"Location": to})


SILENCE = Answer(trouble="silent")


class Server:
    """Serves /v1/chat/completions and /v1/responses on a port of 127.0.0.1 during its `with` block; 0: any free one.

    answer: called with a request's body and its number, from 0; one call at a time. If it raises, the response is a 500
    and the error is in `errors`. models: the response to GET /v1/models; None: it does not know
    that page. requests: all received POST requests, oldest first.
    """

    def __init__(
        self, answer: Callable[[dict[str, Any], int], Answer], models: Answer | None = None, port: int = 0
    ) -> None:
        self.answer, self.models = answer, models
        self.requests: list[Asked] = []
        self.errors: list[Exception] = []
        self.closing = threading.Event()
        self._one_call = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.requests]

    def reply_to(self, asked: Asked) -> Answer:
        if asked.path not in PATHS:
            return failure(404, f"no such page: {asked.path}")
        with self._one_call:
            self.requests.append(asked)
            try:
                return self.answer(asked.body, len(self.requests) - 1)
            except Exception as error:  # sent to the client, and kept for the test
                self.errors.append(error)
                return failure(500, f"the script of the test failed: {error!r}")


def script(*answers: Answer) -> Callable[[dict[str, Any], int], Answer]:
    """Gives these answers one after the other, and then the last one again and again."""
    return lambda _, number: answers[min(number, len(answers) - 1)]


def _completion(
    choices: list[dict[str, Any]], usage: tuple[int, int] | None, cached: int = 0, reasoning: int = 0
) -> Answer:
    body: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "stand-in-1"}
    body["choices"] = choices
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        if cached or reasoning:
            body["usage"]["prompt_tokens_details"] = {"cached_tokens": cached}
            body["usage"]["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return Answer(json.dumps(body).encode())


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.reply_to(Asked(self.path, headers, json.loads(body)))
            try:
                self._send(answer)
            except OSError:  # the client closed the connection
                self.close_connection = True

        def do_GET(self) -> None:
            self._send(server.models if server.models and self.path == "/v1/models" else failure(404, "Not Found"))

        def _send(self, answer: Answer) -> None:
            if answer.trouble == "silent":
                server.closing.wait()
                return
            if answer.trouble == "drip-head":
                self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
                self._drip()
                return
            self.send_response_only(answer.status)
            for name, value in ({"Content-Type": "application/json"} | dict(answer.headers)).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) if answer.trouble != "drip" else 1_000_000))
            self.end_headers()
            if answer.trouble == "drip":
                self._drip()
            elif answer.trouble == "drop":
                self.wfile.write(answer.body[: len(answer.body) // 2])
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.wfile.write(answer.body)

        def _drip(self) -> None:
            while not server.closing.wait(0.02):
                self.wfile.write(b" ")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
