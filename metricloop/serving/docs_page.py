"""The documentation as a page: made of the OpenAPI description alone, so it needs nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from metricloop.serving.problems import KINDS

STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1d2329, #e7eaee); --soft: light-dark(#5a6672, #9aa6b2);
  --line: light-dark(#d9dfe5, #333b44); --card: light-dark(#f5f7f9, #1e242b); --back: light-dark(#fff, #14181d);
  --mark: light-dark(#0b6e4f, #4cc38a); }
body { margin: 0 auto; max-width: 54rem; padding: 2rem 1rem 4rem; background: var(--back); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: .95rem; margin: 1.1rem 0 .3rem; } p { margin: .4rem 0; } a { color: var(--mark); }
.verb { color: var(--mark); font-weight: 700; margin-right: .5rem; } .soft { color: var(--soft); }
code, pre { font: .87rem/1.5 ui-monospace, monospace; } code { overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem;
  margin: .4rem 0; white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; }
td, th { border-top: 1px solid var(--line); padding: .35rem .6rem .35rem 0; text-align: left; vertical-align: top;
  font-weight: 400; }
th { white-space: nowrap; width: 1%; padding-right: 1rem; }
tr:target { background: var(--card); }
"""
CURL = {
    "form": "curl -F files=@one.jpg -F files=@two.png 'http://127.0.0.1:8000/predict?score=0.5&max=20'",
    "json": """curl -H 'Content-Type: application/json' -d "{\\"images\\": [\\"$(base64 -w0 one.jpg)\\"]}" """
    "http://127.0.0.1:8000/predict",
}


def docs_page(description: dict[str, Any]) -> str:
    """HTML of an OpenAPI description: each path with its parameters, an example, and what it may refuse."""
    info = description["info"]
    operations = [
        _operation(path, verb, operation, description)
        for path, verbs in description["paths"].items()
        for verb, operation in verbs.items()
    ]
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(info["title"])}: documentation</title>
<style>{STYLE}</style>
<h1>{escape(info["title"])} <span class="soft">{escape(info["version"])}</span></h1>
<p>{escape(info["description"])} <a href="/">Try a photo</a>, or read the
<a href="/openapi.json">description in OpenAPI</a> with any tool.</p>
{"".join(operations)}
<h2>Problems</h2>
<table>{"".join(_problem(name) for name in KINDS)}</table>
</html>
"""


def _operation(path: str, verb: str, operation: dict[str, Any], description: dict[str, Any]) -> str:
    parts = [
        f'<h2><span class="verb">{verb.upper()}</span>{escape(path)}</h2>',
        f"<p>{escape(operation.get('description', ''))}</p>",
    ]
    if operation.get("parameters"):
        parts.append(f"<h3>Query</h3><table>{''.join(map(_parameter, operation['parameters']))}</table>")
    if "requestBody" in operation:
        parts.append("<h3>Send files</h3>" + _code(CURL["form"]) + "<h3>Or JSON</h3>" + _code(CURL["json"]))
    content = operation["responses"]["200"].get("content", {})
    if "$ref" in (schema := content.get("application/json", {}).get("schema", {})):
        example = json.dumps(_example(schema, description), indent=1)
        parts.append("<h3>The answer</h3>" + _code(example))
    refused = {status: each for status, each in operation["responses"].items() if status not in ("200", "405")}
    if refused:
        rows = "".join(f"<tr><th>{s}</th><td>{escape(each['description'])}</td></tr>" for s, each in refused.items())
        parts.append(f"<h3>Refusals</h3><table>{rows}</table>")
    return "\n".join(parts)


def _code(text: str) -> str:
    return f"<pre>{escape(text, quote=False)}</pre>"


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    limits = f"{schema.get('minimum')} to {schema.get('maximum')}, without it {schema.get('default')}"
    text = f"{parameter.get('description', '')}: {limits}"
    return f"<tr><th><code>{escape(parameter['name'])}</code></th><td>{escape(text)}</td></tr>"


def _example(schema: dict[str, Any], description: dict[str, Any]) -> Any:
    """A value of a schema, from the examples of its parts."""
    if "$ref" in schema:
        return _example(description["components"]["schemas"][schema["$ref"].rpartition("/")[2]], description)
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("type") == "array":
        return [_example(schema["items"], description)]
    return {name: _example(part, description) for name, part in schema.get("properties", {}).items()}


def _problem(name: str) -> str:
    kind = KINDS[name]
    return (
        f'<tr id="{name}"><th>{kind.status}</th><td><b>{escape(kind.title)}</b> <code>{name}</code>'
        f'<br><span class="soft">{escape(kind.example)}</span></td></tr>'
    )
