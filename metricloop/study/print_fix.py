"""What marks say and change, as lines for the terminal."""

from __future__ import annotations

from pathlib import Path

from metricloop.data.label_changes import KINDS
from metricloop.study.fix import Fixed
from metricloop.study.marks import WORDS
from metricloop.text.numbers import DASH, count

TITLES = {"unsure": "not sure"}


def summary(file: Path, done: Fixed, target: Path | None = None) -> list[str]:
    """What the marks say per kind of error, what changes because of them, and what is remembered or left.

    target: where the labels were written for other tools.
    """
    marked = sum(sum(own.values()) for own in done.by_kind.values())
    lines = [f"{file.name}: {count(marked, 'mark')} for {count(done.findings, 'finding')} of the audit"]
    if done.by_kind:
        width = max(map(len, done.by_kind))
        lines.append(f"  {'':{width}}" + "".join(f"{TITLES.get(word, word):>10}" for word in WORDS))
        lines += [
            f"  {kind:{width}}" + "".join(f"{own[word] or DASH:>10}" for word in WORDS)
            for kind, own in done.by_kind.items()
        ]
    if done.before:
        lines.append(f"{count(done.before, 'mark')} left out: applied before")
    if done.held_out and target is None:
        lines.append(
            f"{count(done.held_out, 'mark')} left out: of the search and test split, which judge all arms; --held-out "
            "takes them too"
        )
    elif done.held_out:
        lines.append(
            f"{count(done.held_out, 'mark')} of the search and test split {'is' if done.held_out == 1 else 'are'} "
            "applied too: other tools get all repairs (in the workspace only with --held-out)"
        )
    changed = ", ".join(f"{done.changes[kind]} {kind}" for kind in KINDS)
    if done.images:
        new = f", version {done.version} of the labels" if done.version else ""
        lines.append(f"labels of {count(done.images, 'image')} change{new}: {changed}")
        lines += [f"  renamed {pair}: {number}" for pair, number in done.changes["renamed_from"].items()]
    elif target is not None and done.before:
        lines.append(f"no more labels change: {target} has those that these marks changed before")
    else:
        lines.append("no label changes")
    if done.right:
        lines.append(f"{count(done.right, 'finding')} judged right: the next audit does not list what is right")
    return lines
