"""Other people's processes: signals, speed, limits, memory."""

from __future__ import annotations

from prelude import any_of, call, ctypes, iovec, os, signal, struct, targets
from probe import Family

OTHERS = Family("others", "hurt")


@OTHERS()
def kill(known):
    """Kill them."""
    any_of([lambda pid: os.kill(pid, signal.SIGUSR1) or 0, lambda pid: os.kill(pid, 18) or 0], targets())
    return 0


@OTHERS()
def kill_a_group(known):
    """Kill their process group."""
    any_of([lambda pid: os.kill(-pid, signal.SIGUSR1) or 0], [known["victim"]])
    return 0


@OTHERS(modes=("run", "score"), hidden="it would end this test")
def kill_everyone(known):
    """Kill everyone there is, and one's own group."""
    any_of([lambda pid: os.kill(pid, signal.SIGUSR1) or 0], [-1])
    return 0


@OTHERS()
def kill_a_thread(known):
    """Signal one thread of theirs."""
    any_of([lambda pid: call("tgkill", pid, pid, 10), lambda pid: call("tkill", pid, 10)], targets())
    return 0


@OTHERS()
def queue_a_signal(known):
    """Queue a signal with a made-up sender."""
    note = struct.pack("3i", 10, 0, -1) + bytes(116)
    any_of([lambda pid: call("rt_sigqueueinfo", pid, 10, note)], targets())
    any_of([lambda pid: call("rt_tgsigqueueinfo", pid, pid, 10, note)], targets())
    return 0


@OTHERS()
def signal_by_handle(known):
    """Signal through a handle."""
    any_of([lambda pid: call("pidfd_send_signal", call("pidfd_open", pid, 0), 10, 0, 0)], targets())
    return 0


@OTHERS()
def signal_by_descriptor(known):
    """Have the kernel signal them when a descriptor is ready (F_SETOWN, F_SETSIG, O_ASYNC; FIOSETOWN)."""
    import fcntl

    try:
        reader, writer = os.pipe()
    except OSError:  # a metric has none; descriptor 3 is what it answers on
        reader = writer = 3
    for pid in targets():
        any_of([lambda pid: call("fcntl", reader, 8, pid), lambda pid: call("fcntl", reader, 10, 10)], [pid])
        any_of([lambda pid: call("ioctl", reader, 0x8901, struct.pack("i", pid))], [pid])
        any_of([lambda _: call("fcntl", reader, 4, 0o20000 | fcntl.fcntl(reader, 3))], [0])  # O_ASYNC
        any_of([lambda _: os.write(writer, b"x")], [0])
    return 0


@OTHERS()
def signal_by_lease(known):
    """Have the kernel signal on changes of a folder (F_NOTIFY) or an open (F_SETLEASE), as oneself and as others."""

    def notify(path):
        number = os.open(path, os.O_RDONLY)
        call("fcntl", number, 8, known["victim"])
        call("fcntl", number, 10, 10)
        call("fcntl", number, 1026, 0x80000000 | 0x3F)
        os.utime(path, (1, 1))
        os.listdir(path)
        return 0

    import sysconfig

    return any_of([notify], [known["yard"], ".", sysconfig.get_path("stdlib")])


@OTHERS()
def stop(known):
    """Stop them."""
    any_of([lambda pid: os.kill(pid, signal.SIGSTOP) or 0], [known["victim"]])
    return 0


@OTHERS()
def lower_their_priority(known):
    """Make them slow."""
    any_of([lambda pid: call("setpriority", 0, pid, 19)], [known["victim"]])
    return 0


@OTHERS(lacks="a second processor")
def their_processors(known):
    """Bind them to one processor."""
    any_of([lambda pid: call("sched_setaffinity", pid, 8, struct.pack("Q", 1))], [known["victim"]])
    return 0


@OTHERS()
def their_limits(known):
    """Take their descriptors away by prlimit64."""
    any_of([lambda pid: call("prlimit64", pid, 7, struct.pack("2Q", 16, 16), 0) + 1], [known["victim"]])
    return 0


@OTHERS(lacks="leave to trace")
def their_memory(known):
    """Write to their memory with process_vm_writev and /proc/PID/mem."""
    new = ctypes.create_string_buffer(b"XXXXXX")

    def call_it(pid):
        here, there = iovec(ctypes.addressof(new), 6), iovec(known["victim_address"], 6)
        return call("process_vm_writev", pid, here, 1, there, 1, 0)

    def by_file(pid):
        return os.pwrite(os.open(f"/proc/{pid}/mem", os.O_RDWR), b"XXXXXX", known["victim_address"])

    any_of([call_it, by_file], [known["victim"]])
    return 0


@OTHERS()
def their_score(known):
    """Change how readily the kernel ends them when memory is short."""
    with open(f"/proc/{known['victim']}/oom_score_adj", "w") as file:
        file.write("900")
    return 0
