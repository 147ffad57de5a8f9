"""Which environment variables the commands of a study are given, and where the keys of language models are kept."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from metricloop import layout
from metricloop.llm.key import ANY_SERVER, OPENAI_ONLY, protect_memory, take_keys
from metricloop.runtime.stage_start import OWNER

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
# The variables that a stage, dvc and git get from our environment. Others are not passed on: they may be secrets.
PASSED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TERM",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "SSH_AUTH_SOCK",
    # Which cluster `execution` means, and the files with which Ray proves who asks; not RAY_AUTH_TOKEN, a secret.
    "RAY_ADDRESS",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN_PATH",
    "RAY_USE_TLS",
    "RAY_TLS_SERVER_CERT",
    "RAY_TLS_SERVER_KEY",
    "RAY_TLS_CA_CERT",
    "FAULT_TEST",  # set by tests that kill processes of a study: it marks which processes are theirs
)
PASSED_PREFIXES = ("LC_", "XDG_", "GIT_AUTHOR_", "GIT_COMMITTER_", "OMP_", "MKL_", "CUDA_", "NVIDIA_", "TORCH_", "DVC_")
# How to reach a server. Only steps that ask a language model get these: the address of a proxy may hold a password.
NETWORK = (
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)

# What the libraries of storages read. Only the commands of a study that reads from a URL get these.
STORAGE = (
    "AWS_",
    "GOOGLE_",
    "GCSFS_",
    "STORAGE_EMULATOR_HOST",  # of Google: a server of one's own
    "CLOUDSDK_CONFIG",  # the folder of gcloud
    "NO_GCE_CHECK",
    "AZURE_",
    "FSSPEC_",
    "METRICLOOP_CACHE",
)
PLACES = ("source:", "root:", "second_labels:", "store:")  # keys of params.yaml that may name a URL
AT_URL = re.compile(r":\s*[\"']?(s3|gs|az|https?)://", re.IGNORECASE)

keys: dict[str, str] = {}  # of language models; taken out of os.environ, so that no command inherits them
set_by_options: dict[str, str] = {}  # variables that an option of the command line sets; os.environ cannot set them


def hide_keys() -> None:
    """Move the keys of language models from os.environ to `keys`, before any command is started.

    /proc/PID/environ shows the environment that a process was started with, even after a variable was removed. So on
    Linux a process that was given a key marks itself "not dumpable". Other processes of the same user, such as a stage
    or a git hook, can then read neither its environment nor its memory; debuggers and core dumps do not work either.
    Processes that it starts are not marked. This does not stop root, and does not hide the key where it also is: in the
    shell or in the `make` that started us.
    """
    found = take_keys()
    keys.update(found)
    if {ANY_SERVER, OPENAI_ONLY} & set(found):
        protect_memory()


def environment(folder: Path | None = None) -> dict[str, str]:
    """The variables of a stage: PASSED ones, this Python first on PATH, and this process as the stage's owner.

    folder: the workspace; where it reads from a URL, the variables of STORAGE are passed on, too.
    """
    prefixes = PASSED_PREFIXES + STORAGE * (folder is not None and reads_from_url(folder))
    kept = {n: value for n, value in os.environ.items() if n in PASSED or n.startswith(prefixes)}
    if prefixes != PASSED_PREFIXES:
        kept |= network()
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    # A relative or empty part would put modules of the workspace before the installed packages.
    parts = [part for part in kept.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(part)]
    kept = {name: value for name, value in kept.items() if name != "PYTHONPATH"}
    kept |= {"PYTHONPATH": os.pathsep.join(parts)} if parts else {}
    return kept | QUIET | set_by_options | {"PATH": path, OWNER: str(os.getpid())}


def reads_from_url(folder: Path) -> bool:
    """Whether params.yaml names a URL as the place of data or of finished trials."""
    with suppress(OSError, UnicodeDecodeError):
        lines = [line.strip() for line in (folder / layout.PARAMS).read_text().splitlines()]
        return any(line.startswith(PLACES) and AT_URL.search(line) for line in lines)
    return False


def network() -> dict[str, str]:
    """The variables of NETWORK that are set."""
    return {name: os.environ[name] for name in NETWORK if name in os.environ}
