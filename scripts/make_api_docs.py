"""Make docs/api.md from the signatures and docstrings of what `import metricloop as ml` offers.

    python -P scripts/make_api_docs.py

A test holds the committed page to the code.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import metricloop as ml

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
HEAD = """# The Python API

<!-- Made by scripts/make_api_docs.py from the docstrings; edit those and run it again. -->

```python
import metricloop as ml

data = ml.read_dataset("lions")                                 # COCO, YOLO, Pascal VOC or YouTube-VOS
print(data.problems)                                            # what was odd in it

@ml.metric(level="image")                                       # a metric of your own
def boxes(frame: ml.Frame) -> float:
    return float(len(frame.boxes))

scores = ml.score(data, ["sharpness", boxes])                   # docs/metrics.md lists the catalogue
subset = ml.select(scores["sharpness"], policy="strata", keep=0.25, by="size", seed=0)
subset.to_coco("subset.json")

ml.audit(data).head(20)                                         # labels that look wrong
ml.open_study("demo").comparison                                # the table of a finished study
```

No function needs a workspace, except `open_study`, and none writes a file, except `to_coco` and `to_yolo`. The same
code does the work in a study. The notebook [from images to a subset](notebooks/from_images_to_subset.ipynb) shows it at
work; to run it, in the environment of metricloop:

```sh
pip install jupyterlab matplotlib
jupyter lab docs/notebooks/from_images_to_subset.ipynb
```

Errors are `ValueError`s, but for `ScoreError` (a `RuntimeError`) and a `KeyError` for scores that are not there. The
message for a wrong name holds the nearest known one.

In the examples below, `folder` holds 24 drawn scenes, and `data` those of them to train on:

```python
from metricloop.drawing.scenes import draw_scenes
draw_scenes(folder, 24, seed=0, size=96)
data = ml.read_dataset(folder)
```
"""


def page() -> str:
    """The text of docs/api.md."""
    functions = [name for name in ml.HOMES if inspect.isfunction(getattr(ml, name))]
    classes = [name for name in ml.HOMES if inspect.isclass(getattr(ml, name))]
    made = ["## Functions\n", *map(_function, functions), "## What they return and take\n", *map(_class, classes)]
    return "\n".join([HEAD, *made])


def _function(name: str) -> str:
    return f"### {name}\n\n{_signature(name, getattr(ml, name))}\n\n{_text(getattr(ml, name))}\n"


def _class(name: str) -> str:
    parts = [f"### {name}\n\n{_text(getattr(ml, name))}\n"]
    for member, value in vars(getattr(ml, name)).items():
        if member.startswith("_"):
            continue
        if isinstance(value, property) and value.fget and value.fget.__doc__:
            kind = value.fget.__annotations__["return"]
            parts.append(f"**`{name}.{member}`** (`{kind}`)\n\n{_text(value.fget)}\n")
        elif inspect.isfunction(value) and value.__doc__:
            parts.append(f"**`{name}.{member}`**\n\n{_signature(member, value)}\n\n{_text(value)}\n")
    return "\n".join(parts)


def _signature(name: str, function: Any) -> str:
    """The signature as a Python block, one parameter per line where it does not fit into one."""
    signature = inspect.signature(function)
    shown: list[str] = []
    for it in signature.parameters.values():
        if it.kind is it.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        if it.name != "self":
            stars = "**" if it.kind is it.VAR_KEYWORD else ""
            default = "" if it.default is it.empty else f" = {it.default!r}"
            shown.append(f"{stars}{it.name}: {it.annotation}{default}")
    result = f" -> {signature.return_annotation}"
    line = f"{name}({', '.join(shown)}){result}"
    if len(line) > 100:
        line = f"{name}(\n" + "".join(f"    {it},\n" for it in shown) + f"){result}"
    return f"```python\n{line}\n```"


ITEM = re.compile(r"([a-z]\w*(?:(?:, | and )[a-z]\w*)*|Errors): ")


def _text(thing: Any) -> str:
    """A docstring as markdown: lines such as `name: ...` become list items, examples become blocks."""
    out: list[str] = []
    in_list = in_example = False
    for line in (inspect.getdoc(thing) or "").split("\n"):
        if in_example and not line.strip():
            out.append("```")
            in_example = False
        elif line.startswith(">>>") and not in_example:
            out.append("```pycon")
            in_example = True
        item = None if in_example else ITEM.match(line)
        continued = in_list and line.startswith("    ")
        if (item is not None) != in_list and not continued and line.strip() and out and out[-1].strip():
            out.append("")  # a list begins or ends
        in_list = item is not None or continued
        if item:
            line = f"- **{item[1]}**: {line[item.end() :]}"
        out.append(f"  {line.strip()}" if continued else line)
    return "\n".join([*out, *(["```"] if in_example else [])])


if __name__ == "__main__":
    PAGE.write_text(page())
