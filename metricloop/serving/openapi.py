"""The server's description in OpenAPI: bodies, examples, and the problems that each path may answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from metricloop.serving.problems import KINDS, MEDIA_TYPE, body

# The smallest useful example: a grey PNG of 8 x 8 pixels.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVQI12NsaGhgwAaYGHCAwSkBADAXAZBK52muAAAAAElFTkSuQmCC"
REQUEST_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["files"],
                "additionalProperties": False,
                "properties": {
                    "files": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "format": "binary"},
                        "description": "one or several pictures",
                    }
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "additionalProperties": False,
                "properties": {
                    "images": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "format": "byte"},
                        "description": "pictures in base64, without line breaks",
                    }
                },
            },
            "example": {"images": [PICTURE]},
        },
    },
}
PROBLEM = {
    "title": "Problem",
    "description": "A refusal (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "where the kind of problem is explained"},
        "title": {"type": "string", "description": "the kind of problem"},
        "status": {"type": "integer", "description": "the HTTP status"},
        "detail": {"type": "string", "description": "what is wrong with this request, and what to do"},
    },
}
METRICS_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "Counters", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a path that refuses with these statuses, an example for each kind of problem."""
    return {status: _refusal(status) for status in statuses}


def _refusal(status: int) -> dict[str, Any]:
    kinds = {name: kind for name, kind in KINDS.items() if kind.status == status}
    return {
        "description": "; ".join(dict.fromkeys(kind.title for kind in kinds.values())),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {name: {"value": body(name, kind.example)} for name, kind in kinds.items()},
            }
        },
    }


def complete(app: FastAPI) -> None:
    """Make the application describe its problems too."""

    def described() -> dict[str, Any]:
        if not app.openapi_schema:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            made["components"]["schemas"]["Problem"] = PROBLEM
            for path in made["paths"].values():
                for operation in path.values():
                    for status in (405, 421):
                        operation["responses"].setdefault(str(status), _refusal(status))
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
