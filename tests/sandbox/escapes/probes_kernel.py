"""Doors of the kernel: tracing, namespaces, rings, other machines' system calls."""

from __future__ import annotations

from prelude import any_of, call, ctypes, libc, machine_code, os, struct, targets
from probe import Family

KERNEL = Family("kernel", "claimed")


@KERNEL(lacks="leave to trace")
def ptrace_attach(known):
    """Attach to another process, by ATTACH and by SEIZE."""

    def attach(pid):
        call("ptrace", 16, pid, 0, 0)
        os.waitpid(pid, 0x40000000)
        call("ptrace", 17, pid, 0, 0)
        return 1

    def seize(pid):
        call("ptrace", 0x4206, pid, 0, 0)
        return 1

    return any_of([attach, seize], targets())


@KERNEL()
def ptrace_me(known):
    """Be traced, to be stopped at will."""
    return call("ptrace", 0, 0, 0, 0) == 0


@KERNEL(lacks="io_uring")
def io_uring(known):
    """Set up a ring, through which files are opened and sockets made without system calls."""
    return call("io_uring_setup", 4, ctypes.create_string_buffer(120)) >= 0


@KERNEL(lacks="root's rights, or bpf")
def bpf(known):
    """Make a map of bpf."""
    return call("bpf", 0, struct.pack("5I", 2, 4, 4, 1, 0) + bytes(100), 120) >= 0


@KERNEL(lacks="kernel keys")
def keys(known):
    """Add a key to the session's keyring, and read it."""
    word = ctypes.c_char_p(b"user"), ctypes.c_char_p(known["token"].encode())
    return call("add_key", *word, ctypes.c_char_p(b"x"), 1, -2) > 0


@KERNEL(lacks="kernel keys")
def keyring(known):
    """Ask for the session's keyring."""
    return call("keyctl", 0, -3, 1) > 0


@KERNEL(lacks="user namespaces")
def namespaces(known):
    """Unshare each namespace, alone and with a user namespace."""
    kinds = (0x10000000, 0x20000, 0x02000000, 0x04000000, 0x08000000, 0x20000000, 0x40000000, 0x80)
    return any_of([lambda kind: call("unshare", kind) == 0, lambda kind: call("unshare", kind | kinds[0]) == 0], kinds)


@KERNEL(lacks="user namespaces")
def namespace_by_clone(known):
    """Fork into new namespaces, by clone and clone3."""

    def clone(flags):
        pid = call("clone", flags | 17, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        return os.waitpid(pid, 0)[0] == pid

    def clone3(flags):
        arguments = struct.pack("11Q", flags, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
        pid = call("clone3", arguments, len(arguments))
        if pid == 0:
            os._exit(0)
        return os.waitpid(pid, 0)[0] == pid

    return any_of([clone, clone3], [0x10000000, 0x10020000, 0x50000000, 0x30000000])


@KERNEL(lacks="root's rights")
def namespace_of_others(known):
    """Enter the namespaces of the victim."""
    return call("setns", call("pidfd_open", known["victim"], 0), 0x04000000) == 0


@KERNEL(hidden="it would change this machine")
def mounts(known):
    """Mount, unmount, move the root, by the old and the new calls."""
    text = [ctypes.c_char_p(t.encode()) for t in ("none", known["yard"], "tmpfs", ".")]

    def old(_):
        return call("mount", text[0], text[1], text[2], 0, 0) == 0

    def new(_):
        return call("fsopen", text[2], 0) >= 0 or call("open_tree", -100, text[3], 1) >= 0

    def gone(_):
        return call("umount2", text[1], 2) == 0 or call("pivot_root", text[3], text[3]) == 0

    return any_of([old, new, gone], [0])


@KERNEL(lacks="root's rights")
def another_root(known):
    """Change the root folder."""
    return call("chroot", ctypes.c_char_p(b".")) == 0


@KERNEL(lacks="performance events")
def performance_events(known):
    """Count the events of a process."""
    attributes = struct.pack("IIQ", 1, 112, 1) + bytes(96)
    return any_of([lambda pid: call("perf_event_open", attributes, pid, -1, -1, 0) >= 0], [0, known["victim"]])


@KERNEL(lacks="userfaultfd")
def page_faults(known):
    """Handle page faults oneself, to stop the kernel half-way."""
    return any_of([lambda flags: call("userfaultfd", flags) >= 0], [0, 1])


@KERNEL()
def memory_files(known):
    """Make a file in memory, which may be executable."""
    return call("memfd_create", ctypes.c_char_p(b"x"), 0) >= 0


@KERNEL(lacks="System V shared memory")
def segments(known):
    """Make a System V segment, which outlives its maker."""
    segment = call("shmget", 0, 4096, 0o1600)
    libc.shmctl(segment, 0, None)
    return 1


@KERNEL(lacks="message queues")
def message_queues(known):
    """Make a message queue, which outlives its maker."""
    name = known["token"].encode()
    made = call("mq_open", ctypes.c_char_p(name), 0o102, 0o600, 0)
    libc.mq_unlink(ctypes.c_char_p(b"/" + name))
    return made >= 0


@KERNEL(lacks="kcmp")
def comparing(known):
    """Learn of others' kernel objects."""
    return call("kcmp", known["victim"], known["victim"], 0, 0, 0) == 0


@KERNEL()
def handle_of_others(known):
    """Get a handle of another process."""
    return any_of([lambda pid: call("pidfd_open", pid, 0) >= 0], targets())


@KERNEL()
def list_of_others(known):
    """See others' processes in /proc."""
    return any_of([lambda pid: len(os.listdir(f"/proc/{pid}/task"))], targets()) > 0


@KERNEL()
def dumpable(known):
    """Make oneself dumpable, unlike the supervisor wants; ask for the memory map to be rewritten."""
    return any_of([lambda option: call("prctl", option, 1, 0, 0, 0) == 0], [4])


@KERNEL(hidden="outside there is no such signal to clear")
def parent_death_signal(known):
    """Clear the signal that ends a child with the zygote."""
    return call("prctl", 1, 0, 0, 0, 0) == 0


@KERNEL()
def more_prctl(known):
    """Become a subreaper; let anyone trace; have SIGSEGV on reading the clock; block speculation controls."""
    return any_of([lambda option: call("prctl", option, 1, 0, 0, 0) == 0], [36, 26, 38])


@KERNEL()
def personality(known):
    """Make data executable, and addresses known."""
    return call("personality", 0x0440000) >= 0


@KERNEL()
def a_filter_of_its_own(known):
    """Install a seccomp filter that hands system calls to a process of one's choice."""
    libc.prctl(38, 1, 0, 0, 0)
    allow = struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)
    place = ctypes.create_string_buffer(allow, 8)
    program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(place))
    return call("seccomp", 1, 0, program) == 0


@KERNEL(lacks="leave to read the kernel's log")
def kernel_log(known):
    """Read the kernel's log."""
    return call("syslog", 10, 0, 0) > 0


@KERNEL(hidden="it would change this machine")
def the_machine(known):
    """Set the clock and the host's name, load a module, swap, reboot (with wrong magic), account."""
    text = ctypes.c_char_p(b"x")
    calls = [
        ("clock_settime", 0, struct.pack("2q", 0, 0)), ("sethostname", text, 1), ("init_module", text, 1, text),
        ("kexec_load", 0, 0, 0, 0), ("swapon", text, 0), ("acct", text), ("quotactl", 0, text, 0, 0),
        ("reboot", 1, 2, 3, 0),
    ]  # fmt: skip
    return any_of([lambda one: call(*one) == 0], calls)


@KERNEL()
def limits_raised(known):
    """Raise one's own limits, or set them through one's own number."""
    import resource

    def widen(kind):
        hard = resource.getrlimit(kind)[1]
        wanted = struct.pack("2Q", *([hard if hard == 2**64 - 1 else max(hard, 0) + 1] * 2))
        call("prlimit64", os.getpid(), kind, wanted, 0)
        return 1

    def same(kind):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (hard, hard))
        return 1

    kinds = [resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC, resource.RLIMIT_CORE]
    return any_of([widen, same], kinds)


@KERNEL()
def core_dump(known):
    """Ask for core dumps."""
    import resource

    def ask(size):
        resource.setrlimit(resource.RLIMIT_CORE, (size, size))
        return resource.getrlimit(resource.RLIMIT_CORE)[0] == size

    return any_of([ask], [resource.getrlimit(resource.RLIMIT_CORE)[1], 1])


@KERNEL(lacks="a terminal")
def typing_on_the_terminal(known):
    """Push letters into the terminal's input, to be run by the shell that started us."""

    def push(path):
        return call("ioctl", os.open(path, os.O_RDWR), 0x5412, ctypes.c_char_p(b"#")) == 0

    return any_of([push, lambda path: call("ioctl", 0, 0x5412, ctypes.c_char_p(b"#")) == 0], ["/dev/tty"])


@KERNEL(x86=True, effect="arrived", lacks="32-bit system calls")
def calls_of_32_bits(known):
    """Make system calls by int 0x80, whose numbers mean something else: open and write a UNIX socket, getpid."""
    return_pid = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20 (getpid); int 0x80; ret
    pid = machine_code(return_pid)
    known["answer"] = pid
    if pid == os.getpid():
        # socketcall is absent here: socket (359) of 32 bits, then a plain connect in 64 bits
        made = machine_code(b"\x53\xbb\x01\x00\x00\x00\xb9\x02\x00\x00\x00\x31\xd2\xb8\x67\x01\x00\x00\xcd\x80\x5b\xc3")
        address = struct.pack("=H", 1) + known["datagram"].encode() + b"\0"
        libc.connect(made, address, len(address))
        libc.send(made, b"x", 1, 0)
    return 0


@KERNEL(x86=True, lacks="x32 system calls")
def calls_of_x32(known):
    """Make system calls with x32's numbers: execve, socket, getpid."""
    return any_of([lambda number: call(number | 0x40000000, 2, 1, 0) >= 0], [41, 39])


@KERNEL(x86=True, effect="claimed")
def segments_of_code(known):
    """Change the descriptor table and segment bases, as exploits do."""
    return any_of([lambda _: call("modify_ldt", 0, ctypes.create_string_buffer(64), 64) >= 0], [0])
