"""Test all arms of a study, and the means of groups of arms, in one measure at every look so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from metricloop.comparison.looks import Look, Standing, standings
from metricloop.comparison.spreads import Sample, Spread, collapsed, spreads
from metricloop.comparison.statistics import Gain, contrast, paired


@dataclass(frozen=True)
class Roles:
    """Who is tested against whom. families: arms whose tests are corrected for each other. groups: arms whose mean
    gain is tested. paired: arms that are compared with the baseline seed by seed. alike: arms whose variances say what
    to expect of each other.
    """

    baseline: str
    families: Mapping[str, Sequence[str]]
    groups: Mapping[str, Sequence[str]]
    paired: Collection[str] = ()
    alike: Collection[str] = ()


@dataclass(frozen=True)
class State:
    """An arm's last test: its seeds, those of the baseline, and the gain. look: 0 before the first one."""

    look: int
    sample: Sample
    baseline: Sample
    gain: Gain


@dataclass(frozen=True)
class Tested:
    """All arms after the looks so far. states: the look that decided an arm, or else the last in which it took part.

    samples and spread are those of the last look, for further contrasts.
    """

    looks: int
    samples: dict[str, Sample]
    spread: dict[str, Spread]
    states: dict[str, State]
    standing: dict[str, Standing]
    means: dict[str, Gain]
    standing_of_means: dict[str, Standing]


def tested_at_looks(
    samples: Mapping[str, Sample],
    seeds: Mapping[str, Collection[int]],
    roles: Roles,
    looks: Sequence[Look],
    units: int,
) -> Tested:
    """Take every look for which the seeds are there, in order; seeds beyond a look do not count in it.

    samples: {arm: its results}; seeds: {arm: its seeds}, ascending, in the order of the sample. An arm takes part in a
    look when it and the baseline have the seeds of that look, and no earlier look has decided or stopped it. The mean
    of a group takes the seeds of the first look of every arm, at every look, so that it does not depend on which arms
    got more.
    """
    base = roles.baseline
    first = {arm: own.first(looks[0].baseline if arm == base else looks[0].arms) for arm, own in samples.items()}
    spread = _spread(first, roles)
    states = {arm: State(0, first[arm], first[base], gain) for arm, gain in _gains(first, seeds, roles, spread, units)}
    seen, gains, means, taken = first, list[dict[str, Gain]](), list[dict[str, Gain]](), 0
    for number, look in enumerate(looks, start=1):
        if len(samples[base].values) < look.baseline:
            break
        now = {arm: own.first(look.baseline if arm == base else look.arms) for arm, own in samples.items()}
        over = {arm for arm, at in _standing(roles, gains, looks).items() if at.decided_at or at.stopped}
        there = {arm for arm, own in now.items() if arm != base and len(own.values) == look.arms} - over
        if not there:
            break
        seen, taken = now, number
        spread = _spread(seen, roles)
        gains.append({arm: gain for arm, gain in _gains(seen, seeds, roles, spread, units) if arm in there})
        states |= {arm: State(number, seen[arm], seen[base], gain) for arm, gain in gains[-1].items()}
        means.append(_means(first | {base: seen[base]}, roles, units))
    standing_of_means: dict[str, Standing] = {}
    for name in roles.groups:
        standing_of_means |= standings([name], [_of(found, [name]) for found in means], looks)
    last = means[-1] if means else _means(first, roles, units)
    return Tested(taken, seen, spread, states, _standing(roles, gains, looks), last, standing_of_means)


def _spread(samples: Mapping[str, Sample], roles: Roles) -> dict[str, Spread]:
    alike = [arm for arm in roles.alike if arm in samples and not collapsed(samples[arm])]
    return spreads(samples, alike, alone=[roles.baseline])


def _gains(
    samples: Mapping[str, Sample],
    seeds: Mapping[str, Collection[int]],
    roles: Roles,
    spread: Mapping[str, Spread],
    units: int,
) -> list[tuple[str, Gain]]:
    found = []
    for arm in (arm for family in roles.families.values() for arm in family if arm in samples):
        differences = _differences(samples, seeds, arm, roles.baseline) if arm in roles.paired else None
        weights = {arm: 1.0, roles.baseline: -1.0}
        found.append((arm, paired(differences, units) if differences else contrast(weights, samples, spread, units)))
    return found


def _means(samples: Mapping[str, Sample], roles: Roles, units: int) -> dict[str, Gain]:
    spread = _spread(samples, roles)
    return {
        name: contrast(dict.fromkeys(own, 1 / len(own)) | {roles.baseline: -1.0}, samples, spread, units)
        for name, own in roles.groups.items()
    }


def _standing(roles: Roles, gains: Sequence[Mapping[str, Gain]], looks: Sequence[Look]) -> dict[str, Standing]:
    found: dict[str, Standing] = {}
    for family in roles.families.values():
        found |= standings(family, [_of(one, family) for one in gains], looks)
    return found


def _of(found: Mapping[str, Gain], names: Sequence[str]) -> dict[str, Gain]:
    return {name: found[name] for name in names if name in found}


def _differences(
    samples: Mapping[str, Sample], seeds: Mapping[str, Collection[int]], arm: str, baseline: str
) -> Sample | None:
    """Arm minus baseline in the seeds that both have; None if they share none."""
    own, base = (list(seeds[name])[: len(samples[name].values)] for name in (arm, baseline))
    shared = [seed for seed in own if seed in base]
    if not shared:
        return None
    a, b = ([places.index(seed) for seed in shared] for places in (own, base))
    return Sample(
        samples[arm].values[a] - samples[baseline].values[b],
        samples[arm].replicated[:, a] - samples[baseline].replicated[:, b],
    )
