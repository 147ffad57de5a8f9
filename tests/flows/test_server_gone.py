"""Prefect's server ends while a flow runs: one line, and not what httpx says."""

import httpx
import pytest

from metricloop.flows import interrupt
from metricloop.study.processes import no_more


def test_a_server_that_is_gone_is_told_with_how_to_go_on(monkeypatch):
    monkeypatch.setattr(interrupt, "start_server_apart", lambda: None)
    words = r"^Prefect's server does not answer any more \(All connection attempts failed\); what is finished stays: "
    with pytest.raises(interrupt.ServerGoneError, match=words), interrupt.quick_end("stopped"):
        raise httpx.ConnectError("All connection attempts failed")
    assert not no_more.is_set()
