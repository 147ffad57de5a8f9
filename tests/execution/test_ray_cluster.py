"""Which cluster is connected to, what is said where there is none, and how much fits one."""

import socket
import sys
from unittest.mock import MagicMock

import pytest

from metricloop.execution import capacity, node
from metricloop.execution.capacity import Capacity, ask
from metricloop.execution.engine import Work
from metricloop.execution.gpu_share import share_of
from metricloop.execution.node import NodeError, check_node, run_item_telling, versions
from metricloop.execution.on_ray import Attempt, OnRay, tell_too_large
from metricloop.execution.ray_cluster import ClusterError, address_of, check_port, connect
from metricloop.execution.settings import Execution
from metricloop.params import ParamsError, check_params
from metricloop.training.parallel import parallel_jobs


def params(**execution):
    train = {"device": "cpu", "threads": 2}
    return check_params({"study": {"name": "s"}, "data": {"source": "x"}, "train": train, "execution": execution})


def at(address):
    return Execution(engine="ray", address=address)


@pytest.mark.parametrize(
    ("execution", "said"),
    [
        ({"engine": "rai"}, r"execution\.engine: .*did you mean 'ray'\?"),
        ({"engine": "dask"}, r"execution\.engine: Input should be 'local' or 'ray', found 'dask'"),
        ({"address": "head"}, r"execution\.address"),
        ({"gpus_per_trial": -1}, r"execution\.gpus_per_trial"),
        ({"cpus_per_trial": 0}, r"execution\.cpus_per_trial"),
        ({"gpu_per_trial": 1}, r"did you mean 'execution\.gpus_per_trial'"),
    ],
)
def test_what_the_section_refuses(execution, said):
    with pytest.raises(ParamsError, match=said):
        params(**execution)


def test_a_cluster_elsewhere_counts_only_when_the_person_names_it(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert address_of(at("auto")) == "auto"
    for here in ("127.0.0.1:6379", "ray://localhost:10001", "[::1]:6379"):
        assert address_of(at(here)) == here
    with pytest.raises(ClusterError, match=r"RAY_ADDRESS is not set; .*: export RAY_ADDRESS=ray://10\.1\.2\.3:10001$"):
        address_of(at("ray://10.1.2.3:10001"))
    monkeypatch.setenv("RAY_ADDRESS", "10.1.2.3:6379")
    assert address_of(at("auto")) == address_of(at("10.1.2.3:6379")) == "10.1.2.3:6379"
    with pytest.raises(ClusterError, match=r"RAY_ADDRESS is 10\.1\.2\.3:6379"):
        address_of(at("10.1.2.4:6379"))


def test_a_port_where_nobody_listens_is_said_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"no Ray cluster at {address}: Connection refused; see whether it runs"):
            check_port(address)


def test_without_ray_the_command_that_installs_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"Ray is not installed; install it: .* -m pip install 'metricloop\[ray\]'"):
        connect(at("auto"))


def test_a_cluster_that_is_lost_from_outside_is_told_and_nothing_is_asked_of_it(monkeypatch):
    lost = MagicMock()
    lost.cluster_resources.return_value = {"CPU": 2.0}
    lost.wait.side_effect = ConnectionError("Client is shutting down.")
    lost.is_initialized.return_value = False
    monkeypatch.setattr("metricloop.execution.on_ray.connect", lambda settings: lost)
    engine = OnRay(at("ray://127.0.0.1:10001"))
    with pytest.raises(
        ClusterError, match=r"^the cluster at ray://127\.0\.0\.1:10001 was lost .* the same command goes on$"
    ):
        list(engine.run(Work(loud, 1), [1, 2]))
    lost.cancel.assert_not_called()


def test_from_outside_the_package_that_is_missing_is_named(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr("metricloop.execution.ray_cluster.find_spec", lambda name: None)
    with pytest.raises(ClusterError, match=r"^ray://127.* \(grpcio\); install it: .* pip install 'metricloop\[ray\]'$"):
        connect(at("ray://127.0.0.1:10001"))


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"), [(2, 0, 12), (2, 0.25, 8), (8, 0.5, 3), (0.5, 1, 2), (100, 0, 1), (1, 4, 1)]
)
def test_what_fits_a_cluster_of_24_cores_and_2_gpus(cpus, gpus, expected):
    assert Capacity(nodes=3, cpus=24, gpus=2).items(cpus, gpus) == expected


def test_as_many_chains_of_stages_run_as_the_cluster_holds_and_this_machine_can_look_after(monkeypatch):
    from metricloop.training import parallel

    monkeypatch.setattr(parallel, "cores", lambda: 2)
    monkeypatch.setattr(parallel, "ask", lambda settings: Capacity(3, 12, 0))
    assert parallel_jobs(params(engine="ray"), with_torch=False) == 6  # 12 cores, 2 a trial
    assert parallel_jobs(params(engine="ray", cpus_per_trial=4), with_torch=False) == 3
    monkeypatch.setattr(parallel, "ask", lambda settings: Capacity(300, 12_000, 0))
    assert parallel_jobs(params(engine="ray"), with_torch=False) == 8  # four times the cores of this machine

    def away(settings):
        raise ClusterError("no Ray cluster")

    monkeypatch.setattr(parallel, "ask", away)
    assert parallel_jobs(params(engine="ray"), with_torch=False) == 1  # an estimate needs no cluster


def test_the_capacity_is_asked_in_a_process_of_its_own(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ClusterError, match=r"^execution\.address is 10\.9\.9\.9:1, and RAY_ADDRESS is not set"):
        ask(at("10.9.9.9:1"))
    assert capacity.PASSED.count("METRICLOOP_API_KEY") == 0


@pytest.mark.parametrize(
    ("used", "memory", "share"), [(4, 80, 0.1), (4, 24, 0.25), (3.52, 20, 0.25), (3.53, 20, 0.3), (30, 24, 1.0)]
)
def test_the_share_of_a_gpu_follows_from_the_memory_of_the_first_trial(used, memory, share):
    assert share_of(used, memory) == share  # (1.25 used + 0.6) / memory, in steps of 0.05 upwards


def test_an_item_whose_nodes_are_lost_again_and_again_ends_the_stage_and_does_not_fail():
    attempt = Attempt(0, 3)
    for _ in range(4):
        attempt.count_loss("trial 3")
    assert not attempt.died
    with pytest.raises(ClusterError, match=r"^trial 3: the node that ran it was lost 5 times; `ray status` shows"):
        attempt.count_loss("trial 3")


@pytest.mark.parametrize(
    ("cpus", "gpus", "said"),
    [
        (4, 0, ""),
        (2, 1, ""),
        (4.5, 0, "no node of the cluster has 4.5 cores; the largest has 4 cores."),
        (4, 1, "no node of the cluster has 4 cores and 1 GPU; the largest has 2 cores and 1 GPU."),
        (1, 2, "no node of the cluster has 1 core and 2 GPUs; the largest has 2 cores and 1 GPU."),
    ],
)
def test_an_item_that_no_node_is_large_enough_for_is_told_and_waits(cpus, gpus, said, capsys):
    nodes = [
        {"Alive": True, "Resources": {"CPU": 4.0}},
        {"Alive": True, "Resources": {"CPU": 2.0, "GPU": 1.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    assert tell_too_large(cpus, gpus, nodes) is bool(said)
    assert capsys.readouterr().err.startswith(said)


def test_a_node_with_other_code_is_named_with_what_differs():
    check_node(versions())
    with pytest.raises(NodeError, match=rf"node {socket.gethostname()} has numpy .* \(there: 9\.9\); install the same"):
        check_node(versions() | {"numpy": "9.9"})


def loud(item, shared):
    print(f"{item}: one\n{item}: two", file=sys.stderr)
    print("half", end="")
    return item + shared


def test_lines_come_before_the_answer_and_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(node, "_node", lambda: "f00")
    first, *lines, (kind, answer) = run_item_telling(loud, 3, 4, versions())
    assert first == ("node", "f00")
    assert lines == [("line", "3: one"), ("line", "3: two")]
    assert (kind, answer.result, answer.error) == ("done", 7, None)
    assert (tmp_path / "metricloop" / "node").is_dir()


def test_the_doctor_says_whether_the_cluster_answers(monkeypatch):
    from metricloop.study import workspace_checks

    monkeypatch.setattr(workspace_checks, "ask", lambda settings: Capacity(3, 24, 2))
    found = workspace_checks.cluster(at("10.1.2.3:6379"))
    assert (found.state, found.found) == ("ok", "Ray at 10.1.2.3:6379: 3 nodes, 24 cores, 2 GPUs")

    def away(settings):
        raise ClusterError("no Ray cluster at 10.1.2.3:6379: Connection refused; see whether it runs there: ray status")

    monkeypatch.setattr(workspace_checks, "ask", away)
    found = workspace_checks.cluster(at("10.1.2.3:6379"))
    assert (found.state, found.advice) == ("fail", "see whether it runs there: ray status")
