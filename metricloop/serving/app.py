"""The application: its paths, and what each answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.resources import files

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from metricloop.serving.answers import Health, Options, Prediction, json_answer, read_options
from metricloop.serving.batches import Batches
from metricloop.serving.detector import Detector, usual_score
from metricloop.serving.docs_page import docs_page
from metricloop.serving.guard import POLICY, Guard
from metricloop.serving.hosts import Hosts
from metricloop.serving.limits import Limits
from metricloop.serving.metrics import MEDIA_TYPE, Metrics
from metricloop.serving.openapi import METRICS_RESPONSE, REQUEST_BODY, complete, refusals
from metricloop.serving.predict import Predictor
from metricloop.serving.problems import KINDS, RefusedError, add_handlers

PAGE = "drop_page.html"


def create_app(detector: Detector, limits: Limits | None = None, bound: Collection[str] = ()) -> FastAPI:
    """The server's application around a detector. bound: the name and the address that it listens on; without them
    every header Host is good, unless the limits name hosts.

    Errors: ValueError when the detector's facts are no JSON or lack its classes.
    """
    limits = limits or Limits()
    facts = _checked(detector)
    usual = usual_score(facts)
    options_of_query = Depends(read_options(usual))
    metrics = Metrics()
    batches = Batches(detector, limits, metrics)
    predictor = Predictor(batches, facts["classes"], limits, metrics)
    page = files(__package__).joinpath(PAGE).read_text("utf-8")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        batches.start()
        yield
        await asyncio.to_thread(batches.stop)

    app = FastAPI(
        title=f"Detector {facts.get('name', '')}".strip(),
        version=str(facts.get("version", "0")),
        description="Finds objects on pictures. A refusal is a problem in JSON (RFC 9457) that says what to do.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    add_handlers(app)
    app.add_middleware(
        Guard,
        metrics=metrics,
        paths=["/", "/predict", "/health", "/ready", "/metadata", "/metrics", "/docs"],
        hosts=Hosts(limits.hosts, bound),
    )

    @app.post(
        "/predict",
        response_model=Prediction,
        responses=refusals(400, 403, 408, 413, 415, 422, 503),
        openapi_extra={"requestBody": REQUEST_BODY},
    )
    async def predict(request: Request, options: Options = options_of_query) -> Response:
        """Find the objects on one or several pictures: JPEG, PNG, WebP, GIF (its first picture), BMP or TIFF."""
        return await predictor.answer(request, options)

    @app.get("/health", response_model=Health)
    async def health() -> Response:
        """Whether the process lives."""
        return json_answer({"status": "ok"})

    @app.get("/ready", response_model=Health, responses=refusals(503))
    async def ready() -> Response:
        """Whether the detector is loaded and warmed up."""
        if not batches.ready.is_set():
            raise RefusedError("not-ready", KINDS["not-ready"].example, {"Retry-After": "1"})
        return json_answer({"status": "ok"})

    @app.get("/metadata", response_model=dict)
    async def metadata() -> Response:
        """What the detector is: its study, its subset, its numbers; the default of `score`; this server's limits."""
        return json_answer({**facts, "default_score": usual, "limits": limits.model_dump()})

    @app.get("/metrics", response_class=Response, responses=METRICS_RESPONSE)
    async def prometheus() -> Response:
        """What the server counts, in Prometheus' text format."""
        return Response(metrics.text(), media_type=MEDIA_TYPE)

    @app.get("/", include_in_schema=False)
    async def drop_page() -> Response:
        return _html(page)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return _html(docs_page(app.openapi()))

    complete(app)
    return app


def _checked(detector: Detector) -> dict:
    """The facts as plain JSON."""
    try:
        facts = json.loads(json.dumps(dict(detector.facts), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the detector's facts are not JSON ({error})") from None
    if not facts.get("classes") or not all(isinstance(name, str) for name in facts["classes"]):
        raise ValueError("the detector's facts lack `classes`, the names of what it finds")
    return facts


def _html(page: str) -> Response:
    """A page that may run its own script and style, and nothing else."""
    policy = "; ".join(
        [
            POLICY,
            f"script-src {_hashes(page, 'script')}",
            f"style-src {_hashes(page, 'style')}",
            "img-src 'self' blob: data:",
            "connect-src 'self'",
        ]
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


def _hashes(page: str, tag: str) -> str:
    """The hashes of the parts of a page between <tag> and </tag>, as a policy lists them."""
    parts = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
