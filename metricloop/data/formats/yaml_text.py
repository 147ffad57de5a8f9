"""Read a YAML file of a stranger: every value is text as it stands, nothing is repeated by reference, few levels.

YAML would take a class called `no` for False and `010` for 8; aliases can make a small file fill the memory.
"""

from __future__ import annotations

from typing import Any

import yaml

DEEPEST = 20
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(ValueError):
    """A YAML text that is not read; the message says where and why, without quoting it."""


def parse_yaml(text: str) -> Any:
    """Mappings, lists and texts; None for an empty value or ~ (`null` is a text: a class may be called so). Errors:
    YamlError.

    >>> parse_yaml("names: [no, 010, 'x']\\nnc: 3\\ntest:")
    {'names': ['no', '010', 'x'], 'nc': '3', 'test': None}
    """
    stack: list[tuple[Any, list]] = []  # the open collections: the event that began it, its items
    whole: list[Any] = []
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise YamlError(f"line {_line(event)}: an alias (*name), which is not read; write the value out")
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append((event, []))
                if len(stack) > DEEPEST:
                    raise YamlError(f"line {_line(event)}: more than {DEEPEST} levels of nesting")
                continue
            if isinstance(event, yaml.ScalarEvent):
                value: Any = event.value if event.style or event.value not in ("", "~") else None
            elif isinstance(event, yaml.CollectionEndEvent):
                began, items = stack.pop()
                value = _mapping(items, began) if isinstance(began, yaml.MappingStartEvent) else items
            elif isinstance(event, yaml.DocumentEndEvent):
                break  # further documents have no meaning here
            else:
                continue
            (stack[-1][1] if stack else whole).append(value)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(f"{where}{getattr(error, 'problem', None) or 'not YAML'}") from None
    except (UnicodeError, ValueError) as error:
        raise error if isinstance(error, YamlError) else YamlError("not text") from None
    return whole[0] if whole else None


def _mapping(items: list, began: yaml.Event) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str):
            raise YamlError(f"line {_line(began)}: a key that is not a word")
        if key in found:
            raise YamlError(f"line {_line(began)}: a key is given twice; keep one of the two")
        found[key] = value
    return found


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
