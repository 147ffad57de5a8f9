"""A real Ray cluster on this machine: the same results as in processes here, whatever is killed meanwhile."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from servers import free_port

from metricloop.data.pool import read_pool
from metricloop.execution.engine import DiedError, Work, in_order
from metricloop.execution.local import Local
from metricloop.execution.settings import Execution
from metricloop.metrics.catalogue.crop import object_brightness
from metricloop.metrics.catalogue.picture import brightness
from metricloop.metrics.contract import MetricError
from metricloop.scoring import score_in_parts
from metricloop.scoring import score_pool as score_pool_module
from metricloop.scoring.batch import InProcessBatch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of two cores, started for this module: its address for nodes, and that for a machine outside."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    home, outside = tmp_path_factory.mktemp("node"), free_port()
    before = {name: os.environ.get(name) for name in ("XDG_CACHE_HOME", "RAY_AUTH_MODE")}
    os.environ |= {"XDG_CACHE_HOME": str(home), "RAY_AUTH_MODE": "disabled", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    head = {"num_cpus": 2, "include_dashboard": False, "ray_client_server_port": outside}
    started = Cluster(initialize_head=True, head_node_args=head)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the nodes cannot import a test
    yield f"127.0.0.1:{started.address.rpartition(':')[2]}", f"ray://127.0.0.1:{outside}"
    started.shutdown()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module", params=["a node", "a machine outside"])
def engine(request, cluster):
    """The engine, which runs its items on the cluster."""
    import ray

    from metricloop.execution.on_ray import OnRay

    if request.param == "a machine outside":
        pytest.importorskip("grpc")
    yield OnRay(Execution(engine="ray", address=cluster[request.param != "a node"]))
    ray.shutdown()


def half(item, shared):
    if item % 2:
        raise MetricError(f"{item} is odd")
    return item // 2 + shared


def told(item, folder):
    """Three lines; the process of item 1 is killed after the first, once."""
    for step in range(3):
        print(f"item {item}: {step}", file=sys.stderr, flush=True)
        time.sleep(0.1)  # so that the line is on its way before the process is killed
        if item == 1 and not Path(folder, "killed").exists():
            Path(folder, "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return item


def killed_by_three(item, folder):
    with Path(folder, str(item)).open("a") as stream:
        stream.write("x")
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def seen_there(item, shared):
    return os.getcwd(), list(sys.path), {name for name in os.environ if "KEY" in name}


def test_results_and_errors_are_those_of_this_machine(engine):
    items = list(range(0, 60, 2))
    assert in_order(engine.run(Work(half, 10), items)) == in_order(Local().run(Work(half, 10), items))
    with pytest.raises(MetricError, match=r"^3 is odd$"):
        in_order(engine.run(Work(half, 0), [2, 3, 4]))


def test_a_killed_process_costs_its_item_only_and_lines_reach_the_driver(engine, tmp_path, capfd):
    work = Work(told, str(tmp_path), name_of=lambda item: f"item {item}", tells=True)
    assert in_order(engine.run(work, range(3))) == [0, 1, 2]
    assert (tmp_path / "killed").exists()
    lines = capfd.readouterr().err.splitlines()
    mine = [line for line in lines if line.startswith("item 1")]
    if not engine._streams:
        assert lines == ["item 1: its process was ended; it runs again"]
        return
    assert [line for line in lines if line.startswith("item 0")] == ["item 0: 0", "item 0: 1", "item 0: 2"]
    assert mine[-4:] == ["item 1: its process was ended; it runs again", *(f"item 1: {step}" for step in range(3))]


def test_an_item_whose_process_dies_twice_is_named(engine, tmp_path):
    work = Work(killed_by_three, str(tmp_path), name_of=lambda item: f"picture {item}")
    found = {done.item: done for done in engine.run(work, range(5))}
    assert [found[item].result for item in range(5)] == [0, 1, 2, None, 4]
    assert isinstance(found[3].error, DiedError)
    assert str(found[3].error).startswith("picture 3: the process that ran it was ended twice")
    assert (tmp_path / "3").read_text() == "xx"


def test_a_task_sees_neither_the_workspace_nor_a_key(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "select.py").write_text("raise SystemExit('the wrong select')\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    ((folder, path, keys),) = in_order(engine.run(Work(seen_there, None), [0]))
    assert folder.endswith("/metricloop/node")
    assert str(tmp_path) not in path
    assert keys == set()


def test_scores_are_equal_to_the_last_bit(engine, finished, monkeypatch):
    for module in (score_pool_module, score_in_parts):
        monkeypatch.setattr(module, "CHUNK", 5)  # 18 pictures are four parts
    pool = read_pool(finished / "data", finished / "source")
    batch = InProcessBatch((brightness, object_brightness))
    here, there = (score_pool_module.score_pool(pool, batch, engine=place, jobs=2) for place in (None, engine))
    assert set(here) == set(there) == {"brightness", "object_brightness"}
    for name in here:
        assert np.isfinite(there[name]["score"]).any()
        np.testing.assert_array_equal(here[name]["score"], there[name]["score"])
