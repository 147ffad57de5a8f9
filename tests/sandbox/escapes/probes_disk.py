"""Taking more of the disk than is given."""

from __future__ import annotations

from prelude import call, ctypes, forked, libc, machine_code, os, time
from probe import RUN, Family

LIMITS = {"scratch_mb": 8, "file_mb": 4, "scratch_entries": 100}
DISK = Family("disk", "more than", RUN, held=24, limits=LIMITS)


@DISK()
def many_large_files(known):
    """Fill the disk with files that are each allowed."""
    for number in range(16):
        with open(f"f{number}", "wb") as file:
            file.write(b"x" * (3 << 20))
    time.sleep(0.4)
    return sum(os.stat(f"f{n}").st_blocks * 512 for n in range(16)) / (1 << 20)


@DISK(held=6)
def one_large_file(known):
    """One file above the limit of files."""
    with open("f", "wb", buffering=0) as file:
        for _ in range(12):
            file.write(b"x" * (1 << 20))
    return os.stat("f").st_size / (1 << 20)


@DISK(held=6)
def sparse_file(known):
    """A file that is huge by its size, to be copied out by the supervisor; by truncate, seek and fallocate."""

    def grow(how):
        number = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
        how(number)
        return os.stat("f").st_size

    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = 0
    size = 64 << 20
    for how in (
        lambda number: os.ftruncate(number, size),
        lambda number: os.pwrite(number, b"x", size),
        lambda number: os.posix_fallocate(number, 0, size),
    ):
        try:
            largest = max(largest, grow(how))
        except OSError:
            continue
    return largest / (1 << 20)


@DISK(held=200)
def many_files(known):
    """Use up the entries of the disk with empty files."""
    for number in range(1000):
        open(f"f{number}", "w").close()
    time.sleep(0.4)
    return len(os.listdir("."))


@DISK(held=200)
def deep_folders(known):
    """Folders in folders, deeper than a path can say."""
    for _ in range(300):
        os.mkdir("d" * 20)
        os.chdir("d" * 20)
    time.sleep(0.4)
    return 300


@DISK()
def deleted_files(known):
    """Fill the disk with files that have no name any more."""
    opened = []
    for number in range(16):
        opened.append(os.open(f"f{number}", os.O_RDWR | os.O_CREAT))
        os.unlink(f"f{number}")
        os.write(opened[-1], b"x" * (3 << 20))
    time.sleep(0.4)
    return sum(os.fstat(n).st_blocks * 512 for n in opened) / (1 << 20)


@DISK()
def deleted_files_that_are_mapped(known):
    """Hold deleted files by mapping them only: no descriptor, no name."""
    import mmap

    kept = []
    for number in range(16):
        opened = os.open(f"f{number}", os.O_RDWR | os.O_CREAT)
        os.unlink(f"f{number}")
        os.write(opened, b"x" * (3 << 20))
        kept.append((libc.mmap(None, ctypes.c_size_t(3 << 20), 1, 1, opened, ctypes.c_long(0)), mmap))
        os.close(opened)
    time.sleep(0.4)
    page = ctypes.c_char * (3 << 20)
    return sum(page.from_address(place)[-1] == b"x" for place, _ in kept) * 3


@DISK()
def deleted_files_with_a_carriage_return(known):
    """Hold deleted files by mapping them only; their names break the lines of /proc/PID/maps in two."""
    kept = []
    for number in range(16):
        name = f"a\rb{number}"
        opened = os.open(name, os.O_RDWR | os.O_CREAT)
        os.unlink(name)
        os.write(opened, b"x" * (3 << 20))
        kept.append(libc.mmap(None, ctypes.c_size_t(3 << 20), 1, 1, opened, ctypes.c_long(0)))
        os.close(opened)
    time.sleep(0.4)
    page = ctypes.c_char * (3 << 20)
    return sum(page.from_address(place)[-1] == b"x" for place in kept) * 3


@DISK()
def deleted_files_with_a_name_like_another(known):
    """Hold deleted files by mapping them only, while files with the names that /proc/PID/maps gives them exist."""
    kept = []
    for number in range(16):
        opened = os.open(f"a{number}", os.O_RDWR | os.O_CREAT)
        os.unlink(f"a{number}")
        os.write(opened, b"x" * (3 << 20))
        kept.append(libc.mmap(None, ctypes.c_size_t(3 << 20), 1, 1, opened, ctypes.c_long(0)))
        os.close(opened)
        for name in (f"a{number}", f"a{number} (deleted)"):
            open(name, "w").close()
    time.sleep(0.4)
    page = ctypes.c_char * (3 << 20)
    return sum(page.from_address(place)[-1] == b"x" for place in kept) * 3


@DISK()
def deleted_files_of_a_thread(known):
    """Hold deleted files in a thread that has descriptors of its own (clone without CLONE_FILES)."""
    opened = []
    for number in range(16):
        opened.append(os.open(f"f{number}", os.O_RDWR | os.O_CREAT))
        os.unlink(f"f{number}")
    stack = ctypes.create_string_buffer(1 << 16)
    top = ctypes.c_void_p((ctypes.addressof(stack) + (1 << 16)) & ~15)
    # CLONE_VM, FS, SIGHAND, THREAD, SYSVSEM; it runs pause() and nothing else
    if libc.clone(libc.pause, top, 0x100 | 0x200 | 0x800 | 0x10000 | 0x40000, None) < 0:
        return 0
    for number in opened:
        os.write(number, b"x" * (3 << 20))
        os.close(number)
    time.sleep(0.4)
    return 48


@DISK()
def deleted_files_of_a_headless_child(known):
    """Hold deleted files in a process whose first thread has ended."""
    import threading

    reader, writer = os.pipe()

    def headless():
        opened = []
        for number in range(16):
            opened.append(os.open(f"f{number}", os.O_RDWR | os.O_CREAT))
            os.unlink(f"f{number}")

        def fill():
            time.sleep(0.1)  # the first thread ends
            for number in opened:
                os.write(number, b"x" * (3 << 20))
            time.sleep(0.4)
            os.write(writer, bytes([sum(os.fstat(number).st_blocks * 512 for number in opened) >> 20]))

        threading.Thread(target=fill).start()
        call("exit", 0)

    forked(headless)
    os.close(writer)
    return (os.read(reader, 1) or b"\0")[0]


@DISK()
def deleted_folder(known):
    """Write into a folder that was moved away from where the supervisor counts, then deleted by name."""
    os.mkdir("a")
    os.mkdir("b")
    place = os.open("a", os.O_RDONLY)
    os.rename("a", "b/c")
    opened = []
    for number in range(16):
        opened.append(os.open(f"f{number}", os.O_RDWR | os.O_CREAT, dir_fd=place))
        os.write(opened[-1], b"x" * (3 << 20))
    time.sleep(0.4)
    return sum(os.fstat(n).st_blocks * 512 for n in opened) / (1 << 20)


@DISK(hidden="nobody lists its folders there")
def folder_that_is_never_where_it_is_looked_for(known):
    """Move a folder behind the supervisor's back, into one that it has just listed: atime says when."""
    for name in ("p", "q"):
        os.mkdir(name)
        for number in range(25):
            os.mkdir(f"{name}/{number}")
    second, first = [entry.name for entry in os.scandir(".") if entry.name in "pq"]  # it takes the last one first
    os.mkdir(f"{second}/big")
    place, written, until = os.open(f"{second}/big", os.O_RDONLY), 0, time.monotonic() + 3

    def move(here, there, before):
        limit = time.monotonic() + 0.06
        while os.stat(there).st_atime_ns == before and time.monotonic() < limit:
            pass
        os.rename(f"{here}/big", f"{there}/big")

    while written < 16 and time.monotonic() < until:
        for name in (first, second):  # atime only changes after a change of the folder
            os.mkdir(f"{name}/x")
            os.rmdir(f"{name}/x")
        before = [os.stat(name).st_atime_ns for name in (first, second)]
        move(second, first, before[0])
        move(first, second, before[1])
        number = os.open(f"f{written}", os.O_RDWR | os.O_CREAT, dir_fd=place)
        os.write(number, b"x" * (3 << 20))
        os.close(number)
        written += 1
    return written * 3


@DISK(x86=True)
def deleted_files_of_a_relay_of_threads(known):
    """Hold deleted files in threads with descriptors of their own, each of which starts the next one and ends."""
    import threading

    relay = bytes.fromhex(
        "b838000000 bf000b0500 31f6 31d2 4531d2 4531c0 0f05"  # clone(CLONE_VM | FS | SIGHAND | THREAD | SYSVSEM)
        "85c0 7ee6"  # the new thread, or none: once more
        "b83c000000 31ff 0f05"  # exit, of this thread alone
    )
    for number in range(12):
        opened = os.open(f"f{number}", os.O_RDWR | os.O_CREAT)
        os.unlink(f"f{number}")
        os.write(opened, b"x" * (3 << 20))
        threading.Thread(target=machine_code, args=[relay], daemon=True).start()
        time.sleep(0.01)
        os.close(opened)
    time.sleep(0.6)
    return 36
