"""With this folder on PYTHONPATH, the code of metricloop takes the machine for a Mac: as far as Linux can play one.

Only our own modules are altered, while they are compiled: `sys.platform` and `platform.system()` say so, what Linux
alone offers to Python has a name that is not there, and /proc is another folder. Everything else stays as it is.
"""

import builtins
import importlib.machinery
import multiprocessing
import re

builtins.MAC, builtins.MAC_SYSTEM = "darwin", "Darwin"
multiprocessing.set_start_method("spawn")  # as on macOS
MISSING = re.compile(
    r"\b(pidfd_open|pidfd_send_signal|memfd_create|sched_getaffinity|setresuid|setresgid|pipe2|prctl|mallopt"
    r"|O_PATH|MAP_POPULATE|MFD_\w+|F_SEAL_\w+|F_ADD_SEALS)\b"
)


def altered(source: str) -> str:
    """A module's source, as it would behave on a Mac."""
    source = source.replace("sys.platform", "MAC").replace("platform.system()", "MAC_SYSTEM")
    return MISSING.sub(r"no_\1", source).replace("/proc/", "/no-proc/")


as_it_is = importlib.machinery.SourceFileLoader.get_code


def get_code(self, fullname):
    """Compile our modules anew, and take all others as they are."""
    if fullname.split(".")[0] != "metricloop":
        return as_it_is(self, fullname)
    path = self.get_filename(fullname)
    return compile(altered(self.get_data(path).decode()), path, "exec", dont_inherit=True)


importlib.machinery.SourceFileLoader.get_code = get_code
