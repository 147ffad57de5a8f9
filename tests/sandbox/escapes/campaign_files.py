"""The campaign, 1: metrics that were written to read a planted secret out of a file, with whatever Python installs."""

from __future__ import annotations

from prelude import any_of, call, ctypes, digits, libc, os
from probe import SCORE, Family

FILES = Family("secret-files", "stolen", SCORE)


@FILES()
def lines_for_a_traceback(known):
    """linecache, which the sandbox itself uses for tracebacks."""
    import linecache

    return digits("".join(linecache.getlines(known["secret_file"])))


@FILES()
def code_of_a_module(known):
    """The loader of a module's source, and io.open_code."""
    import importlib.machinery
    import io

    loader = importlib.machinery.SourceFileLoader("planted", known["secret_file"])
    return any_of(
        [lambda path: digits(loader.get_data(path)), lambda p: digits(io.open_code(p).read())], [known["secret_file"]]
    )


@FILES()
def message_of_a_syntax_error(known):
    """Run the file as a program: the error shows its first line."""
    import runpy
    import traceback

    try:
        runpy.run_path(known["secret_file"])
    except NameError:
        return digits(traceback.format_exc())
    return 0


@FILES()
def bytecode_for_a_name(known):
    """Import the folder's files as modules, from a path put first."""
    import sys
    import tokenize

    sys.path.insert(0, known["folder"])
    with tokenize.open(known["secret_file"]) as text:
        return digits(text.read())


@FILES()
def pixels_of_a_file(known):
    """numpy.fromfile and numpy.memmap take any file for numbers."""
    import numpy as np

    return any_of(
        [
            lambda path: digits(np.fromfile(path, np.uint8).tobytes()),
            lambda path: digits(np.memmap(path, np.uint8, "r").tobytes()),
        ],
        [known["secret_file"]],
    )


@FILES()
def table_of_text(known):
    """numpy.loadtxt and genfromtxt."""
    import numpy as np

    return any_of(
        [lambda path: digits(np.loadtxt(path, str)), lambda path: digits(np.genfromtxt(path, str))],
        [known["secret_file"]],
    )


@FILES()
def data_source(known):
    """numpy.lib's DataSource, which also opens addresses."""
    from numpy.lib.npyio import DataSource

    return digits(DataSource(None).open(known["secret_file"]).read())


@FILES()
def mapped(known):
    """Map the file instead of reading it."""
    import mmap

    with open(known["secret_file"], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        return digits(memory[:])


@FILES()
def by_the_c_library(known):
    """fopen and fgets of the C library."""
    libc.fopen.restype = ctypes.c_void_p
    stream = libc.fopen(known["secret_file"].encode(), b"r")
    room = ctypes.create_string_buffer(64)
    if stream:
        libc.fgets(room, 64, ctypes.c_void_p(stream))
    return digits(room.raw)


@FILES()
def by_another_copy_of_the_c_library(known):
    """The same from a second copy of the C library, in case the first one's functions were replaced."""
    import ctypes.util

    other = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", mode=os.RTLD_LOCAL)
    room = ctypes.create_string_buffer(64)
    number = other.open(known["secret_file"].encode(), 0)
    return digits(room.raw) if other.read(number, room, 64) > 0 else 0


@FILES()
def shell_of_wordexp(known):
    """wordexp of the C library starts a shell for $(...)."""
    found = (ctypes.c_void_p * 4)()
    if libc.wordexp(f"$(cat {known['secret_file']})".encode(), found, 0) == 0 and found[1]:
        return digits(ctypes.string_at(ctypes.c_void_p.from_address(found[1]).value))
    return 0


@FILES()
def shell_of_popen(known):
    """popen of the C library."""
    libc.popen.restype = ctypes.c_void_p
    stream = libc.popen(f"cat {known['secret_file']}".encode(), b"r")
    room = ctypes.create_string_buffer(64)
    if stream:
        libc.fgets(room, 64, ctypes.c_void_p(stream))
    return digits(room.raw)


@FILES()
def from_the_root_of_a_process(known):
    """The same file beneath /proc/PID/root and cwd, where the path is another one."""
    places = [
        f"/proc/{who}/{what}"
        for who in ("self", "thread-self", os.getppid(), known["supervisor"])
        for what in ("root", "cwd")
    ]
    return any_of(
        [
            lambda place: digits(open(f"{place}/../../../..{known['secret_file']}").read()),
            lambda place: digits(open(f"{place}{known['secret_file']}").read()),
        ],
        places,
    )


@FILES()
def name_of_a_descriptor(known):
    """/dev/fd, /dev/stdin and /proc/self/fd of every number."""
    places = [f"{folder}/{number}" for folder in ("/dev/fd", "/proc/thread-self/fd") for number in range(3, 800)]
    return any_of([lambda place: digits(open(place, "rb").read(64))], places)


@FILES()
def folder_by_descriptor(known):
    """Open the folder by name only, then the file within it, by openat and by walking up and down."""
    folder = os.open(known["folder"], os.O_PATH | os.O_DIRECTORY)
    names = ["secret", f"../{known['folder'].rsplit('/', 1)[1]}/secret", "./yard/../secret"]
    return any_of([lambda name: digits(os.read(os.open(name, os.O_RDONLY, dir_fd=folder), 64))], names)


@FILES()
def list_of_names(known):
    """scandir, walk, glob and the C library's list of names."""
    import glob
    import pathlib

    return any_of(
        [
            lambda place: digits([entry.name for entry in os.scandir(place)]),
            lambda place: digits(list(os.walk(place))),
            lambda place: digits(glob.glob(f"{place}/*")),
            lambda place: digits([path.name for path in pathlib.Path(place).iterdir()]),
        ],
        [known["folder"], f"/proc/self/root{known['folder']}"],
    )


@FILES()
def copied_first(known):
    """Copy, link or move it to a place that may be read."""
    import shutil
    import tempfile

    target = f"{tempfile.gettempdir()}/taken"
    return any_of(
        [lambda how: digits(how(known["secret_file"], target) and open(target).read())],
        [shutil.copyfile, shutil.copy2, os.symlink, os.link, os.rename],
    )


@FILES()
def configuration(known):
    """Readers of configuration: configparser, tomllib, json, csv and netrc quote what they cannot read."""
    import configparser
    import csv
    import json
    import netrc
    import pathlib

    readers = [
        netrc.netrc,
        lambda path: csv.reader(pathlib.Path(path).read_text().splitlines()),
        lambda path: configparser.ConfigParser().read_string(pathlib.Path(path).read_text()),
        lambda path: json.loads(pathlib.Path(path).read_text()),
    ]

    def told(reader):
        try:
            return digits(list(reader(known["secret_file"])))
        except (configparser.Error, json.JSONDecodeError, netrc.NetrcParseError) as error:
            return digits(str(error))

    return any_of([told], readers)


@FILES()
def archive(known):
    """tarfile and zipfile add any file to an archive in memory."""
    import io
    import tarfile
    import zipfile

    room = io.BytesIO()

    def tar(path):
        with tarfile.open(fileobj=room, mode="w") as made:
            made.add(path)
        return digits(room.getvalue())

    def zipped(path):
        with zipfile.ZipFile(room, "w") as made:
            made.write(path)
        return digits(room.getvalue())

    return any_of([tar, zipped], [known["secret_file"]])


@FILES(lacks="pandas")
def frame_of_pandas(known):
    """pandas.read_csv."""
    import pandas

    return digits(pandas.read_csv(known["secret_file"], header=None).to_string())


@FILES(lacks="pyarrow")
def table_of_arrow(known):
    """pyarrow's memory map and its own file system."""
    import pyarrow

    return any_of(
        [lambda path: digits(pyarrow.memory_map(path).read()), lambda path: digits(pyarrow.OSFile(path).read())],
        [known["secret_file"]],
    )


@FILES(effect="claimed")
def accounts(known):
    """Ask the C library for accounts, hosts and services."""
    import pwd
    import socket

    return any_of([lambda _: bool(pwd.getpwall()), lambda _: socket.getservbyname("http")], [0])


@FILES(effect="claimed", lacks="root's rights")
def devices(known):
    """Read memory and disks as devices, and what the kernel shows of itself."""
    paths = [
        "/dev/mem",
        "/dev/kmem",
        "/dev/kmsg",
        "/dev/vda",
        "/dev/sda",
        "/proc/kcore",
        "/proc/kallsyms",
        "/sys/kernel/tracing/trace",
        "/sys/kernel/debug",
        "/dev/shm",
        "/dev/mqueue",
        "/run",
        "/root",
    ]
    return any_of([lambda path: len(open(path, "rb").read(16)), lambda path: len(os.listdir(path))], paths)


@FILES(hidden="it would mount", effect="claimed")
def another_view_of_the_disk(known):
    """Clone the tree of mounts, or open a file system anew."""
    words = [ctypes.c_char_p(word) for word in (b"/", b"ext4", b"tmpfs")]
    return any_of(
        [
            lambda _: call("open_tree", -100, words[0], 1) >= 0,
            lambda _: call("fsopen", words[2], 0) >= 0,
            lambda _: call("fspick", -100, words[0], 0) >= 0,
        ],
        [0],
    )
