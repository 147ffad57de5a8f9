"""How much a cluster can run at once, asked in a process of its own: importing Ray takes a second and much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache

from metricloop.execution.ray_cluster import ClusterError, connect
from metricloop.execution.settings import Execution

SECONDS = 60.0
PASSED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Capacity:
    """nodes: machines that answer. cpus, gpus: of all of them together."""

    nodes: int
    cpus: float
    gpus: float

    def items(self, cpus: float, gpus: float) -> int:
        """How many items fit at once, each of which takes so many cores and GPUs; at least one."""
        fit = [self.cpus / cpus if cpus else self.cpus, *([self.gpus / gpus] if gpus else [])]
        return max(1, int(min(fit)))


@cache
def ask(settings: Execution) -> Capacity:
    """The capacity of the cluster that the settings name, now. Errors: ClusterError when it does not answer."""
    variables = {n: v for n, v in os.environ.items() if n in PASSED or n.startswith("RAY_")}
    command = [sys.executable, "-P", "-m", __name__, settings.model_dump_json()]
    try:
        done = subprocess.run(
            command,
            env=variables,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Capacity(**json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        raise ClusterError(f"the Ray cluster at {settings.address} did not answer within {SECONDS:.0f} s") from None
    except (ValueError, IndexError, TypeError):
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise ClusterError(said[-1].removeprefix("ClusterError: ")) from None


def main(settings: Execution) -> None:
    """Print the capacity as JSON."""
    ray = connect(settings)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    total = {name: sum(node.get(name, 0.0) for node in nodes) for name in ("CPU", "GPU")}
    print(json.dumps(asdict(Capacity(len(nodes), total["CPU"], total["GPU"]))))


if __name__ == "__main__":
    try:
        main(Execution.model_validate_json(sys.argv[1]))
    except ClusterError as error:
        sys.exit(f"ClusterError: {error}")
