"""What there is to steal, to reach and to hurt: planted before the zygote starts, looked at after every probe."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyseccomp

MARK = f"PLANTED{os.getpid()}-"  # two suites may run at the same time, and see each other's processes
HIGH = (61, 251, 701)  # numbers that inherited descriptors have
CALLS = [
    "execve", "execveat", "socket", "connect", "sendto", "sendmsg", "fork", "vfork", "clone", "clone3",
    "memfd_create", "shmget", "shmat", "mq_open", "mq_timedreceive", "io_uring_setup", "bpf", "keyctl", "add_key",
    "perf_event_open", "userfaultfd", "process_vm_readv", "process_vm_writev", "ptrace", "pidfd_open",
    "pidfd_getfd", "pidfd_send_signal", "open_by_handle_at", "name_to_handle_at", "kcmp", "mount", "umount2",
    "chroot", "pivot_root", "setuid", "setresuid", "setgroups", "prctl", "prlimit64", "sched_setaffinity",
    "setpriority", "chmod", "fchmodat", "chown", "fchownat", "utimensat", "setxattr", "truncate", "openat", "open",
    "openat2", "rename", "renameat2", "link", "linkat", "symlink", "symlinkat", "inotify_init1",
    "inotify_add_watch", "fcntl", "flock", "ioctl", "kill", "tkill", "tgkill", "rt_sigqueueinfo",
    "rt_tgsigqueueinfo", "setns", "unshare", "getpid", "personality", "syslog", "modify_ldt", "arch_prctl",
    "setsid", "setpgid", "mknod", "mknodat", "unlinkat", "mkdirat", "fanotify_init", "sethostname", "seccomp",
    "swapon", "init_module", "kexec_load", "clock_settime", "setitimer", "timer_create", "exit", "fallocate",
    "splice", "tee", "vmsplice", "move_pages", "migrate_pages", "get_robust_list", "set_robust_list", "lookup_dcookie",
    "acct", "clock_gettime", "clock_getres", "clock_nanosleep", "capget", "getsid", "getpgid", "getpriority",
    "sched_getscheduler", "sched_getparam", "sched_getaffinity", "ioprio_get", "futex", "set_tid_address", "alarm",
    "quotactl", "reboot", "io_setup", "fspick", "open_tree", "fsopen", "process_madvise", "remap_file_pages",
]  # fmt: skip
VICTIM = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # where Yama guards: anyone may trace this one
for number in (signal.SIGUSR1, signal.SIGIO, signal.SIGRTMIN):
    signal.signal(number, lambda *_: os._exit(9))
secret = ctypes.create_string_buffer(sys.argv[1].encode())
opened = os.open(sys.argv[2], os.O_RDONLY)
print(ctypes.addressof(secret), opened, flush=True)
sys.stdin.read()
"""


class World:
    """Planted secrets, listeners, and processes. `close` takes all of it away."""

    def __init__(self) -> None:
        self.secret = random.SystemRandom().randint(100_000, 999_999)
        self.marked = f"{MARK}{self.secret}"
        self.token = f"mlc{random.SystemRandom().randint(10**9, 10**10)}"  # names processes that a probe leaves behind
        self.folder = Path(tempfile.mkdtemp(prefix="escape-"))
        os.chmod(self.folder, 0o755)  # only the walls are to protect it
        self.secret_file = self.folder / "secret"
        self.yard = self.folder / "yard"  # writable for everyone
        self.libraries = Path(sysconfig.get_path("purelib"))
        self.buffer = ctypes.create_string_buffer(self.marked.encode())
        self.signals: list[int] = []
        self._handler = signal.signal(signal.SIGUSR1, lambda number, _: self.signals.append(number))
        self._victim: subprocess.Popen | None = None
        self._segment = -1
        self._plant()
        self._listen()
        self._before: Any = None
        self.reset()

    def known(self, walls: bool) -> dict[str, Any]:
        """What the attacker is told."""
        assert self._victim is not None
        native = pyseccomp.Arch.NATIVE
        numbers = {name: pyseccomp.resolve_syscall(native, name) for name in CALLS}
        return {
            "walls": walls,
            "mark": MARK,
            "token": self.token,
            "numbers": {name: number for name, number in numbers.items() if number >= 0},
            "folder": str(self.folder),
            "secret_file": str(self.secret_file),
            "yard": str(self.yard),
            "file": str(self.yard / "file"),
            "victim": self._victim.pid,
            "victim_address": self._address,
            "victim_descriptor": self._descriptor,
            "supervisor": os.getpid(),
            "address": ctypes.addressof(self.buffer),
            "segment": self._segment,
            "tcp": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "stream": self.stream.getsockname(),
            "datagram": self.datagram.getsockname(),
            "abstract": self.token,
            "libraries": str(self.libraries),
        }

    def reset(self) -> None:
        """Put right what a probe (or the showing of it outside) changed."""
        self.sweep()
        self.arrived()
        self.signals.clear()
        shutil.rmtree(self.yard, ignore_errors=True)
        self.yard.mkdir()
        os.chmod(self.yard, 0o777)
        file = self.yard / "file"
        file.write_text("as planted\n")
        os.chmod(file, 0o666)
        os.utime(file, (1_000_000_000, 1_000_000_000))
        if self._victim is None or self._hurt():
            self._start_victim()
        self._before = self._look()

    def changed(self) -> bool:
        """Whether anything in the yard, or among the installed packages, is not as planted."""
        return self._look() != self._before

    def hurt(self) -> bool:
        """Whether the victim was ended, stopped, signalled, limited or slowed, or the supervisor signalled."""
        return self._hurt() or bool(self.signals)

    def arrived(self) -> bool:
        """Whether anything came in over a network or a socket, since the last look."""
        came = False
        for listener in (self.tcp, self.stream, self.abstract):
            with suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    came = True
        for receiver in (self.udp, self.datagram):
            with suppress(BlockingIOError):
                while True:
                    receiver.recv(4096)
                    came = True
        return came

    def left(self) -> list[int]:
        """Processes that a probe has left behind."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "comm").read_text().strip() == self.token[:15]:
                    tasks = [(task / "stat").read_text() for task in (entry / "task").iterdir()]
                    if any(task.rpartition(")")[2].split()[0] not in "ZX" for task in tasks):  # dead, not yet reaped
                        found.append(int(entry.name))
        return found

    def sweep(self) -> None:
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)  # a sister of a probe shown outside is our own child
        for planted in self.libraries.glob(f"{self.token}*"):
            planted.unlink()

    def close(self) -> None:
        self.sweep()
        if self._victim is not None:
            self._victim.kill()
            self._victim.communicate()
        for opened in (self.tcp, self.udp, self.stream, self.datagram, self.abstract):
            opened.close()
        for number in self.descriptors:
            os.close(number)
        if self._segment >= 0:
            ctypes.CDLL(None).shmctl(self._segment, 0, None)  # IPC_RMID
        os.environ.pop("MLC_SECRET", None)
        signal.signal(signal.SIGUSR1, self._handler)
        ctypes.CDLL(None).prctl(0x59616D61, 0, 0, 0, 0)
        shutil.rmtree(self.folder)

    def _plant(self) -> None:
        self.secret_file.write_text(self.marked)
        os.chmod(self.secret_file, 0o644)
        (self.folder / f"name {self.marked}").touch()
        os.environ["MLC_SECRET"] = self.marked
        opened = os.open(self.secret_file, os.O_RDONLY)
        self.descriptors = [os.dup2(opened, number, inheritable=True) for number in HIGH]
        os.close(opened)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)
        self._segment = libc.shmget(0, 4096, 0o1666)  # IPC_PRIVATE, IPC_CREAT; -1 where there is no such memory
        if self._segment >= 0:
            libc.shmat.restype = ctypes.c_void_p
            place = libc.shmat(self._segment, None, 0)
            ctypes.memmove(place, self.marked.encode(), len(self.marked))
            libc.shmdt(ctypes.c_void_p(place))

    def _listen(self) -> None:
        self.tcp, self.udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        self.stream, self.datagram, self.abstract = (
            socket.socket(socket.AF_UNIX, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM)
        )
        self.tcp.bind(("127.0.0.1", 0))
        self.udp.bind(("127.0.0.1", 0))
        for receiver, name in ((self.stream, "stream"), (self.datagram, "datagram")):
            receiver.bind(str(self.folder / name))
            os.chmod(self.folder / name, 0o777)
        self.abstract.bind(f"\0{self.token}")
        for receiver in (self.tcp, self.udp, self.stream, self.datagram, self.abstract):
            receiver.setblocking(False)
            if receiver.type == socket.SOCK_STREAM:
                receiver.listen(16)

    def _start_victim(self) -> None:
        if self._victim is not None:
            self._victim.kill()
            self._victim.communicate()
        self._victim = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", VICTIM, self.marked, str(self.secret_file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"MLC_SECRET": self.marked}, start_new_session=True,
        )  # fmt: skip
        assert self._victim.stdout is not None
        self._address, self._descriptor = map(int, self._victim.stdout.readline().split())
        self._well = self._state()

    def _hurt(self) -> bool:
        assert self._victim is not None
        return self._victim.poll() is not None or self._state() != self._well

    def _state(self) -> Any:
        assert self._victim is not None
        pid = self._victim.pid
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{pid}/status").read_text()
            pending = [line for line in status.splitlines() if line.startswith(("ShdPnd", "SigPnd", "TracerPid"))]
            memory = os.pread(mem, 6, self._address) if (mem := self._memory(pid)) >= 0 else b""
            if mem >= 0:
                os.close(mem)
            limits = Path(f"/proc/{pid}/limits").read_text()
            running = fields[0] if fields[0] in "TtZX" else "alive"
            readiness = Path(f"/proc/{pid}/oom_score_adj").read_text()
            return running, fields[16], pending, limits, memory, readiness, os.sched_getaffinity(pid)
        return "gone"

    def _memory(self, pid: int) -> int:
        with suppress(OSError):
            return os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        return -1

    def _look(self) -> Any:
        seen: list[Any] = [sorted(path.name for path in self.libraries.glob(f"{self.token}*"))]
        for path in sorted(self.yard.rglob("*")):
            status = path.lstat()
            attributes = os.listxattr(path, follow_symlinks=False)
            seen.append((str(path), status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, status.st_nlink))
            seen.append((attributes, path.read_bytes() if path.is_file() else None))
        return seen, self.secret_file.read_text()
