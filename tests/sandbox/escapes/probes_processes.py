"""Starting programs, processes and threads; outliving one's end."""

from __future__ import annotations

from prelude import any_of, call, ctypes, forked, libc, linger, os, signal, struct, time
from probe import RUN, SCORE, Family

PROCESSES = Family("processes", "claimed")
STORM = {"processes": 8, "batch_seconds": 5}


@PROCESSES()
def a_program(known):
    """Start a program with subprocess."""
    import subprocess

    return subprocess.run(["/bin/echo", "1"], capture_output=True, check=False).stdout == b"1\n"


@PROCESSES(effect="changed")
def a_shell(known):
    """Start a shell with os.system."""
    os.system(f"echo more >> {known['file']}")
    return 0


@PROCESSES()
def a_shell_by_popen(known):
    """Start a shell with os.popen and read what it prints."""
    return os.popen("echo 1").read() == "1\n"


@PROCESSES(effect="replaced")
def execve_raw(known):
    """Become another program, by a raw call."""
    words = (ctypes.c_char_p * 4)(b"/bin/echo", b"NUMBER", b"1.0", None)
    call("execve", ctypes.c_char_p(b"/bin/echo"), words, 0)
    return 1


@PROCESSES(effect="replaced")
def execveat_raw(known):
    """Become another program, named by a descriptor."""
    words = (ctypes.c_char_p * 4)(b"/bin/echo", b"NUMBER", b"1.0", None)
    program = os.open("/bin/echo", os.O_PATH)
    call("execveat", program, ctypes.c_char_p(b""), words, 0, 0x1000)  # AT_EMPTY_PATH
    return 1


@PROCESSES(effect="replaced")
def execve_of_memory(known):
    """Become a program that lies in memory only."""
    program = call("memfd_create", ctypes.c_char_p(b"x"), 0)
    with open("/bin/echo", "rb") as file:
        os.write(program, file.read())
    words = (ctypes.c_char_p * 4)(b"echo", b"NUMBER", b"1.0", None)
    call("execveat", program, ctypes.c_char_p(b""), words, 0, 0x1000)
    return 1


@PROCESSES(effect="replaced")
def execve_by_the_loader(known):
    """Become the dynamic loader, which lies in a folder that may be read, and have it load a program."""
    import glob

    def become(loader):
        os.execv(loader, [loader, "/bin/echo", "NUMBER", "1.0"])

    return any_of([become], [*glob.glob("/lib64/ld-linux*"), *glob.glob("/lib/ld-linux*")])


@PROCESSES()
def posix_spawn(known):
    """Start a program with posix_spawn."""
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writer, 1)]
    os.posix_spawn("/bin/echo", ["echo", "1"], {}, file_actions=actions)
    os.close(writer)
    return os.read(reader, 9) == b"1\n"


@PROCESSES(modes=SCORE)
def fork(known):
    """Fork in a metric."""
    return os.waitpid(forked(lambda: None), 0)[1] == 0


@PROCESSES(modes=SCORE)
def clone_raw(known):
    """Fork by raw clone, vfork's flags and clone3."""

    def clone(flags):
        pid = call("clone", flags, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        return os.waitpid(pid, 0)[0] == pid

    def clone3(flags):
        arguments = struct.pack("11Q", flags & ~0xFF, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
        pid = call("clone3", arguments, len(arguments))
        if pid == 0:
            os._exit(0)
        return os.waitpid(pid, 0)[0] == pid

    return any_of([clone, clone3], [17])


@PROCESSES(modes=SCORE)
def thread(known):
    """Start a thread in a metric, which could go on while the next frame is scored."""
    import threading

    ran = []
    worker = threading.Thread(target=ran.append, args=[1])
    worker.start()
    worker.join()
    return bool(ran)


@PROCESSES(modes=SCORE)
def multiprocessing_pool(known):
    """Start a pool of processes."""
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-1, -2]) == [1, 2]


@PROCESSES(effect="more than", held=9, modes=RUN, limits=STORM)
def storm_of_forks(known):
    """Have 40 processes at once."""
    for _ in range(40):
        forked(lambda: time.sleep(1))
    time.sleep(0.4)
    return 40


@PROCESSES(effect="more than", held=9, modes=RUN, limits=STORM)
def storm_of_forks_that_fork(known):
    """Have processes that each fork the next one, 30 deep."""
    for _ in range(30):
        if os.fork():
            time.sleep(1)
            os._exit(0)
    time.sleep(0.5)
    return 30


@PROCESSES(effect="more than", held=9, modes=RUN, limits=STORM)
def storm_of_threads(known):
    """Have 40 threads at once."""
    import threading

    for _ in range(40):
        threading.Thread(target=time.sleep, args=[1], daemon=True).start()
    time.sleep(0.4)
    return threading.active_count()


@PROCESSES(effect="more than", held=9, modes=RUN, limits=STORM)
def storm_of_headless_threads(known):
    """Have threads in processes whose first thread has ended, which /proc calls zombies."""
    import threading

    def headless():
        for _ in range(10):
            threading.Thread(target=time.sleep, args=[1]).start()
        os.write(writer, b"x")
        call("exit", 0)

    reader, writer = os.pipe()
    for _ in range(4):
        forked(headless)
    os.close(writer)
    whole = sum(len(os.read(reader, 1)) for _ in range(4))
    time.sleep(0.4)
    return whole * 10


@PROCESSES(effect="outlived")
def child_that_stays(known):
    """Leave a child behind that ignores signals."""

    def stay():
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_IGN)
        linger()

    forked(stay)
    return 0


@PROCESSES(effect="outlived")
def daemon(known):
    """Fork twice, with a session of its own in between."""

    def middle():
        any_of([lambda _: os.setsid()], [0])
        forked(linger)

    os.waitpid(forked(middle), 0)
    return 0


@PROCESSES(effect="outlived")
def group_of_its_own(known):
    """Leave the process group, so that its end does not reach the child."""

    def stay():
        for leave in (os.setsid, lambda: os.setpgid(0, 0), lambda: os.setpgid(0, os.getppid())):
            any_of([lambda _, leave=leave: leave()], [0])
        libc.prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG
        linger()

    forked(stay)
    return 0


@PROCESSES(effect="outlived")
def sister(known):
    """Clone with CLONE_PARENT: a child of the zygote, not ours; by clone and by clone3."""

    def clone(flags):
        pid = call("clone", flags | 17, 0, 0, 0, 0)
        if pid == 0:
            linger()
        return pid

    def clone3(flags):
        arguments = struct.pack("11Q", flags, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
        pid = call("clone3", arguments, len(arguments))
        if pid == 0:
            linger()
        return pid

    return any_of([clone, clone3], [0x8000])


@PROCESSES(effect="outlived", modes=RUN)
def grandchildren_in_a_race(known):
    """Fork on and on, each child the next one's parent, while the end comes."""
    if os.fork() == 0:
        libc.prctl(15, known["token"].encode(), 0, 0, 0)
        os.closerange(0, 256)
        until = time.monotonic() + 1
        while time.monotonic() < until:
            if os.fork():
                time.sleep(0.02)
                os._exit(0)
        os._exit(0)
    return 0


@PROCESSES(effect="claimed", lacks="root's rights")
def root_again(known):
    """Become root by every call there is."""

    def become(name):
        return call(name, *([0] * 3)) == 0 and os.getuid() == 0

    return any_of([become], ["setuid", "setresuid", "setgroups"])
