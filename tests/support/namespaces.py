"""Machines that this one plays: network namespaces on a bridge, each with an address of its own, as root on Linux."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def why_not() -> str:
    """Why this machine cannot play others; "" where it can."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return "network namespaces need root and the program ip"
    tried = subprocess.run(["ip", "netns", "add", "ml-try"], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", "ml-try"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"no network namespaces here: {tried.stderr.strip()}"


class Machine:
    """One machine. name: of its namespace. address: in the network of all of them."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address

    def command(self, *words: str) -> list[str]:
        """A command line that runs on this machine."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, words: Sequence[str], env: Mapping[str, str]) -> str:
        done = subprocess.run(
            self.command(*words), env=dict(env), capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pids(self) -> list[int]:
        done = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        return [int(word) for word in done.stdout.split()]

    def titles(self) -> list[str]:
        """The command lines of its processes; Ray writes the name of a task there while it runs."""
        found = []
        for pid in self.pids():
            with suppress(OSError):
                found.append(Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " "))
        return found

    def cut_off(self) -> None:
        """Take its network down."""
        subprocess.run(self.command("ip", "link", "set", "eth0", "down"), check=True)

    def kill(self) -> None:
        """Kill all of its processes at once with -9."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def machines(count: int, net: str = "10.77.41") -> Iterator[list[Machine]]:
    """Some machines in one network, with nothing running on them; at the end all that runs on them is killed."""
    made = [Machine(f"ml-{k}", f"{net}.{k + 1}") for k in range(count)]
    try:
        _ip("link", "add", "ml-bridge", "type", "bridge")
        _ip("link", "set", "ml-bridge", "up")
        for k, machine in enumerate(made):
            _ip("netns", "add", machine.name)
            _ip("link", "add", f"ml-v{k}", "type", "veth", "peer", "name", "eth0", "netns", machine.name)
            _ip("link", "set", f"ml-v{k}", "master", "ml-bridge", "up")
            for words in (["addr", "add", f"{machine.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"],
                          ["link", "set", "lo", "up"]):  # fmt: skip
                _ip("-n", machine.name, *words)
        yield made
    finally:
        for machine in made:
            machine.kill()
            subprocess.run(["ip", "netns", "del", machine.name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", "ml-bridge"], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
