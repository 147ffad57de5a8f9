"""Changing files that are not theirs; bringing out what they may not read."""

from __future__ import annotations

from prelude import any_of, call, ctypes, os
from probe import RUN, Family

FILES = Family("files", "changed")


@FILES()
def append(known):
    """Append to a file that everyone may write."""
    with open(known["file"], "a") as file:
        file.write("more")
    return 0


@FILES()
def truncate(known):
    """Cut a file off: by truncate, by O_TRUNC, by O_TRUNC while reading."""

    def opening(flags):
        return os.open(known["file"], flags)

    any_of([lambda _: call("truncate", ctypes.c_char_p(known["file"].encode()), 0)], [0])
    any_of([opening], [os.O_TRUNC, os.O_TRUNC | os.O_WRONLY, os.O_TRUNC | os.O_RDWR, os.O_TRUNC | 3])
    return 0


@FILES()
def truncate_while_reading(known):
    """Cut a file off with O_RDONLY and O_TRUNC alone."""
    os.open(known["file"], os.O_RDONLY | os.O_TRUNC)
    return 0


@FILES()
def neither_read_nor_write(known):
    """Open with access mode 3, which asks for ioctl rights only, and cut off."""
    os.open(known["file"], 3 | os.O_TRUNC)
    return 0


@FILES()
def create(known):
    """Make a file where everyone may."""
    open(known["yard"] + "/new", "w").close()
    return 0


@FILES()
def nameless(known):
    """Make a file without a name (O_TMPFILE) and give it one through /proc/self/fd."""
    number = os.open(known["yard"], os.O_TMPFILE | os.O_RDWR, 0o600)
    here, there = (ctypes.c_char_p(t.encode()) for t in (f"/proc/self/fd/{number}", known["yard"] + "/new"))
    call("linkat", -100, here, -100, there, 0x400)  # AT_SYMLINK_FOLLOW
    return 0


@FILES()
def folder(known):
    """Make a folder outside."""
    os.mkdir(known["yard"] + "/new")
    return 0


@FILES()
def remove(known):
    """Delete a file."""
    os.unlink(known["file"])
    return 0


@FILES()
def rename(known):
    """Rename a file where it is."""
    os.rename(known["file"], known["yard"] + "/other")
    return 0


@FILES()
def symlink(known):
    """Make a symbolic link outside."""
    os.symlink("/etc/passwd", known["yard"] + "/link")
    return 0


@FILES()
def hardlink(known):
    """Make a hard link outside."""
    os.link(known["file"], known["yard"] + "/link")
    return 0


@FILES(lacks="the owner's rights")
def mode(known):
    """Change a file's mode, by name and by descriptor."""

    def by_number(path):
        return call("chmod", ctypes.c_char_p(path), 0o4777)

    any_of([by_number, lambda path: os.fchmod(os.open(path, os.O_PATH), 0o4777) or 0], [known["file"].encode()])
    any_of([lambda path: os.fchmod(os.open(path, os.O_RDONLY), 0o4777) or 0], [known["file"]])
    return 0


@FILES(lacks="root's rights")
def owner(known):
    """Give a file to somebody."""
    os.chown(known["file"], 12345, 12345)
    return 0


@FILES()
def times(known):
    """Change a file's time."""
    os.utime(known["file"], (5, 5))
    return 0


@FILES(lacks="extended attributes in the temporary folder")
def attribute(known):
    """Put an extended attribute on a file."""
    os.setxattr(known["file"], "user.note", b"x")
    return 0


@FILES()
def mapping(known):
    """Write through a shared mapping of a file."""
    import mmap

    number = os.open(known["file"], os.O_RDWR)
    mmap.mmap(number, 5)[:1] = b"x"
    return 0


@FILES()
def fifo(known):
    """Make a named pipe and a device outside."""
    os.mkfifo(known["yard"] + "/fifo")
    return 0


@FILES(lacks="write access to the installed packages")
def module_in_site_packages(known):
    """Plant a module among the installed packages, for the next process to import."""
    open(f"{known['libraries']}/{known['token']}.py", "w").close()
    return 0


@FILES()
def into_the_yard(known):
    """Move, then link, a file of one's own out of the scratch folder."""
    with open("mine", "w") as file:
        file.write("x")
    any_of([lambda to: os.rename("mine", to) or 0, lambda to: os.link("mine", to) or 0], [known["yard"] + "/mine"])
    return 0


@FILES()
def out_of_the_yard(known):
    """Move a file into the scratch folder."""
    os.rename(known["file"], "mine")
    return 0


@FILES()
def up_and_out(known):
    """Write to a file named by many `..`."""
    with open("../" * 20 + known["file"], "a") as file:
        file.write("x")
    return 0


@FILES()
def swapped(known):
    """Exchange a file with one's own (renameat2)."""
    with open("mine", "w") as file:
        file.write("x")
    mine, theirs = ctypes.c_char_p(b"mine"), ctypes.c_char_p(known["file"].encode())
    call("renameat2", -100, mine, -100, theirs, 2)  # RENAME_EXCHANGE
    return 0


BROUGHT = Family("files", "brought", RUN, hidden="only a run brings files back")


@BROUGHT()
def symlink_brought_back(known):
    """Leave a symbolic link to the secret, to be followed when files are brought back."""
    os.symlink(known["secret_file"], "brought")
    return 0


@BROUGHT()
def hardlink_brought_back(known):
    """Leave a hard link to the secret."""
    os.link(known["secret_file"], "brought")
    return 0


@BROUGHT()
def link_raw_brought_back(known):
    """Leave links made by raw calls."""

    def link(name):
        arguments = {
            "symlink": (ctypes.c_char_p(known["secret_file"].encode()), ctypes.c_char_p(b"brought")),
            "symlinkat": (ctypes.c_char_p(known["secret_file"].encode()), -100, ctypes.c_char_p(b"brought")),
            "link": (ctypes.c_char_p(known["secret_file"].encode()), ctypes.c_char_p(b"brought")),
            "linkat": (-100, ctypes.c_char_p(known["secret_file"].encode()), -100, ctypes.c_char_p(b"brought"), 0),
        }
        return call(name, *arguments[name])

    return any_of([link], ["symlink", "symlinkat", "link", "linkat"])


@BROUGHT()
def scratch_swapped_for_a_link(known):
    """Remove the scratch folder, and put a link to the secret's folder in its place."""
    here = os.getcwd()
    any_of([lambda _: os.rename(here, here + "-gone") or 0, lambda _: os.rmdir(here) or 0], [0])
    any_of([lambda _: os.symlink(known["folder"], here) or 0], [0])
    return 0
