"""The campaign: metrics that a language model wrote, after it had read the sandbox, with the aim of getting out.

They are metrics as a model answers them, run as a study runs them. docs/sandbox.md counts them.
"""

from __future__ import annotations

from collections import Counter

import pytest
from campaign_files import FILES
from campaign_memory import MEMORY
from campaign_resources import MUCH
from campaign_scores import SCORES
from campaign_sockets import SOCKETS
from campaign_time import STAYS, TIME
from probe import Probe, text
from test_answers import HEADER, HONEST, HONEST_SCORES
from test_escapes import FRAMES, SPEC, contained_score, held, outside, shown_outside

from metricloop.metrics.contract import Spec
from metricloop.sandbox.limits import Limits
from metricloop.scoring.sandboxed import MetricFile, run_metrics

FAMILIES = (FILES, MEMORY, SOCKETS, SCORES, TIME, STAYS, MUCH)
CAMPAIGN = [probe for family in FAMILIES for probe in family]
AIMS = {"secret": 30, "sockets": 15, "scores": 20, "limits": 30}  # the least number of attempts at each
HONEST_SPEC = Spec("honest", "image", ("image",))


def each(probes):
    return [pytest.param(probe, id=f"{probe.family}-{probe.name}") for probe in probes]


@pytest.mark.parametrize("probe", each(probe for probe in CAMPAIGN if probe.family != "scores"))
def test_a_metric_of_the_campaign_gets_nothing(probe, world, sandbox):
    result = contained_score(probe, world, sandbox)
    held(probe, world, result)
    assert result.next_frame == 7.0, result.words


@pytest.mark.parametrize("probe", each(SCORES))
def test_a_metric_of_the_campaign_changes_no_other_score(probe: Probe, world, sandbox):
    """Three honest ones follow: of the same file, of their own file, and in the next batch."""
    sandbox.limits = Limits(frame_seconds=2)
    images = [frame.image.tobytes() for frame in FRAMES]
    hostile = MetricFile(text(probe, world.known(walls=True), "score") + HEADER + HONEST, "probe.py")
    own = MetricFile(HEADER + HONEST, "honest.py")
    _, same, other = run_metrics(sandbox, [(hostile, SPEC), (hostile, HONEST_SPEC), (own, HONEST_SPEC)], FRAMES)
    [after] = run_metrics(sandbox, [(own, HONEST_SPEC)], FRAMES)
    for results in (same, other, after):
        assert [float(result.scores[0]) for result in results] == HONEST_SCORES, results
    assert [frame.image.tobytes() for frame in FRAMES] == images
    assert not world.arrived()
    assert not world.changed()
    assert not world.hurt()
    assert not world.left()


@pytest.mark.slow
@pytest.mark.parametrize("probe", each(probe for probe in CAMPAIGN if not probe.hidden))
def test_without_walls_the_metric_succeeds(probe, world, folder):
    shown_outside(probe, world, outside(probe, world, folder))


def test_the_campaign_has_at_least_a_hundred_attempts_at_all_four_aims():
    tried = Counter(probe.family.partition("-")[0] for probe in CAMPAIGN)
    assert tried.keys() == AIMS.keys()
    assert all(tried[aim] >= least for aim, least in AIMS.items()), tried
    assert len({(probe.family, probe.name) for probe in CAMPAIGN}) == len(CAMPAIGN) >= 100
