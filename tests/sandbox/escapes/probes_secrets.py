"""Reading what is not theirs: files, environments, memory, descriptors."""

from __future__ import annotations

from prelude import any_of, call, ctypes, digits, iovec, libc, os, struct, targets
from probe import Family

SECRETS = Family("secrets", "stolen")


@SECRETS()
def a_file(known):
    """Open a file that everyone may read."""
    with open(known["secret_file"], "rb") as file:
        return digits(file.read())


@SECRETS()
def a_file_raw(known):
    """Open it by openat and openat2, past Python."""

    def openat(path):
        return digits(os.read(call("openat", -100, ctypes.c_char_p(path), 0), 64))

    def openat2(path):
        how = struct.pack("QQQ", 0, 0, 0)
        return digits(os.read(call("openat2", -100, ctypes.c_char_p(path), how, len(how)), 64))

    return any_of([openat, openat2], [known["secret_file"].encode()])


@SECRETS()
def names_in_a_folder(known):
    """List a folder that everyone may list."""
    return digits(os.listdir(known["folder"]))


@SECRETS()
def own_environment(known):
    """Look for keys in os.environ."""
    return digits(dict(os.environ))


@SECRETS()
def own_stack(known):
    """Read the environment that the process was started with, from the far end of its stack."""
    place = ctypes.c_void_p.in_dll(libc, "__libc_stack_end").value
    words = (ctypes.c_uint64 * 4096).from_address(place)
    index = words[0] + 2  # argc, argv, a zero
    while words[index]:  # envp
        index += 1
    index += 1
    auxiliary = {}
    while words[index]:
        auxiliary[words[index]] = words[index + 1]
        index += 2
    return digits(ctypes.string_at(place, auxiliary[31] - place))  # up to the program's name, which lies last


@SECRETS()
def environment_of_others(known):
    """Read /proc/PID/environ of victim, supervisor and zygote."""
    return any_of([lambda pid: digits(open(f"/proc/{pid}/environ", "rb").read())], targets())


@SECRETS()
def command_line_of_others(known):
    """Read /proc/PID/cmdline of all processes."""
    return any_of([lambda pid: digits(open(f"/proc/{pid}/cmdline", "rb").read())], os.listdir("/proc"))


@SECRETS()
def memory_by_proc(known):
    """Read the victim's and the supervisor's memory through /proc/PID/mem."""
    places = {known["victim"]: known["victim_address"], known["supervisor"]: known["address"]}

    def peek(pid):
        return digits(os.pread(os.open(f"/proc/{pid}/mem", os.O_RDONLY), 64, places[pid]))

    return any_of([peek], places)


@SECRETS()
def memory_by_vm_readv(known):
    """Read the victim's and the supervisor's memory with process_vm_readv."""
    places = {known["victim"]: known["victim_address"], known["supervisor"]: known["address"]}
    mine = ctypes.create_string_buffer(64)
    here = iovec(ctypes.addressof(mine), 20)

    def peek(pid):
        call("process_vm_readv", pid, here, 1, iovec(places[pid], 20), 1, 0)
        return digits(mine.raw)

    return any_of([peek], places)


@SECRETS()
def memory_by_ptrace(known):
    """Attach to the victim and read its memory word by word."""
    call("ptrace", 16, known["victim"], 0, 0)  # PTRACE_ATTACH
    os.waitpid(known["victim"], 0x40000000)  # __WALL
    word, got = ctypes.c_uint64(), b""
    for offset in (0, 8, 16):
        call("ptrace", 2, known["victim"], known["victim_address"] + offset, ctypes.byref(word))  # PTRACE_PEEKDATA
        got += struct.pack("Q", word.value)
    call("ptrace", 17, known["victim"], 0, 0)
    return digits(got)


@SECRETS()
def inherited_descriptors(known):
    """Read whatever descriptor is open."""
    return any_of([lambda number: digits(os.pread(number, 64, 0))], range(3, 1024))


@SECRETS()
def inherited_descriptors_reopened(known):
    """Open whatever descriptor is there anew through /proc/self/fd."""
    return any_of([lambda number: digits(open(f"/proc/self/fd/{number}", "rb").read(64))], range(3, 1024))


@SECRETS()
def name_only_descriptor(known):
    """Open with O_PATH, which asks no rights, then open that descriptor through /proc/self/fd."""
    number = os.open(known["secret_file"], os.O_PATH)
    return digits(open(f"/proc/self/fd/{number}", "rb").read())


@SECRETS()
def up_from_a_library_folder(known):
    """Climb from a folder that may be read, by name and from the descriptors that the zygote keeps."""
    import sysconfig

    up = "../" * 16 + known["secret_file"]
    folder = os.open(sysconfig.get_path("stdlib"), os.O_PATH)
    return any_of([lambda place: digits(os.read(os.open(up, 0, dir_fd=place), 64))], [folder, *range(900, 916)])


@SECRETS()
def descriptors_of_others(known):
    """Open a file that the victim has open, through /proc/PID/fd."""
    return digits(open(f"/proc/{known['victim']}/fd/{known['victim_descriptor']}", "rb").read())


@SECRETS(lacks="pidfd_getfd")
def descriptor_stolen(known):
    """Copy a descriptor out of the victim with pidfd_getfd."""
    pidfd = call("pidfd_open", known["victim"], 0)
    return digits(os.pread(call("pidfd_getfd", pidfd, known["victim_descriptor"], 0), 64, 0))


@SECRETS(lacks="root's rights")
def file_by_handle(known):
    """Open a file by its number in the file system, past every path."""
    handle = (ctypes.c_uint32 * 40)(128)
    mount = ctypes.c_int()
    path = ctypes.c_char_p(known["secret_file"].encode())
    call("name_to_handle_at", -100, path, handle, ctypes.byref(mount), 0)
    root = os.open("/tmp", os.O_RDONLY)
    return digits(os.read(call("open_by_handle_at", root, handle, 0), 64))


@SECRETS(lacks="System V shared memory")
def shared_memory(known):
    """Attach to a System V segment of another process."""
    place = call("shmat", known["segment"], 0, 0o10000)
    return digits(ctypes.string_at(place, 32))


@SECRETS(effect="claimed")
def watched_folder(known):
    """Be told by inotify of everything that happens in a folder."""
    watcher = call("inotify_init1", 0o4000)
    path = ctypes.c_char_p(known["folder"].encode())
    return call("inotify_add_watch", watcher, path, 0xFFF) > 0


@SECRETS(effect="claimed")
def password_file(known):
    """Read /etc/passwd."""
    return len(open("/etc/passwd").read()) > 0


@SECRETS(effect="claimed")
def kernel_s_words(known):
    """Read /proc: the host's command line, mounts and network."""
    return any_of([lambda path: len(open(path).read())], ["/proc/mounts", "/proc/net/tcp", "/proc/cmdline"]) > 0
