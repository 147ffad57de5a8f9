"""List and fetch what lies at a URL: each file once per machine."""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar
from urllib.parse import unquote

from metricloop.data import door
from metricloop.data.packed import ARCHIVES, TAR, Members, Packed, look_into, members_of, parts_of
from metricloop.data.packed import kind as kind_in
from metricloop.data.picture_cache import picture_cache
from metricloop.data.storage import ask, system_of, trust_again
from metricloop.data.urls import url_of

FETCHES = 32  # at the same time
AHEAD = 256  # label files that are fetched together
LARGEST = 64 * door.MB  # of a file that is kept in the cache
KINDS = {"file": "file", "directory": "folder"}
WEB = ("/http:", "/https:")
MEMBERS = "#members"  # behind the URL of a tar: the list of what is in it
FOLDER, UNKNOWN = -1, 0  # in place of a file's state
# What servers tell of a file that changes with it, the best first: Google's etag changes with its metadata, too.
STATES = ("md5Hash", "crc32c", "ETag", "etag", "content_md5", "LastModified", "Last-Modified", "last_modified",
          "updated", "mtime", "created")  # fmt: skip


Got = TypeVar("Got")


class Listing(NamedTuple):
    """The names in a folder, sorted and without hidden ones, each with a number that changes when the file does: FOLDER
    for a folder, UNKNOWN where the server does not tell. size: bytes of the files.
    """

    states: dict[str, int]
    size: int


_listings: dict[str, Listing] = {}  # of this process, by folder
_ordered: dict[str, list[str]] = {}
_packed: dict[str, Packed] = {}
_are_folders: dict[str, bool] = {}  # what is called like a packed file
_ahead: dict[str, bytes] = {}  # label files that were fetched before they were asked for


def forget() -> None:
    """Look at everything anew from now on."""
    _listings.clear()
    _ordered.clear()
    _packed.clear()
    _are_folders.clear()
    _ahead.clear()
    trust_again()


def listing(folder: Path | str) -> Listing:
    """What a folder holds, as it was when this process first looked; empty where it does not exist.

    Errors: AwayError, MissingPackageError.
    """
    key = str(folder)
    if key not in _listings:
        url, inside_of = _url(key), packed_parts(key)
        _listings[key] = _packed_listing(*inside_of) if inside_of else ask(url, lambda: _listing(url), Listing({}, 0))
    return _listings[key]


def _packed_listing(file: str, folder: str) -> Listing:
    """What lies in a folder of a packed file; each of its files has the state of the whole."""
    names = _packed_at(file).names.get(folder, {})
    own = int(_state(file) or "0", 16)
    return Listing({name: FOLDER if is_dir else own for name, is_dir in sorted(names.items())}, 0)


def _listing(url: str) -> Listing:
    states: dict[str, int] = {}
    size = 0
    for name, state, length in _entries(url):
        states[name], size = state, size + length
    return Listing(dict(sorted(states.items())), size)


def kind(path: Path | str) -> str:
    """What lies at a URL: "file", "folder", such as an archive, or "" for nothing. Errors: as of `listing`."""
    if (inside_of := packed_parts(path)) and inside_of[1]:
        return kind_in(_packed_at(inside_of[0]), inside_of[1])
    found = _stored_kind(path)
    return "folder" if inside_of and found and inside_of[0].lower().endswith(ARCHIVES) else found


def packed_parts(path: Path | str) -> tuple[str, str] | None:
    """As `parts_of`, but None if the name is that of a folder, such as `lions.tar/`. Web servers are not asked: they do
    not tell folders from files.
    """
    found = parts_of(path)
    if found and not found[0].startswith(WEB):
        if found[0] not in _are_folders:
            _are_folders[found[0]] = _stored_kind(found[0]) == "folder"
        return None if _are_folders[found[0]] else found
    return found


def _stored_kind(path: Path | str) -> str:
    parent, _, name = str(path).rpartition("/")
    if parent in _listings:
        state = _listings[parent].states.get(name)
        return "" if state is None else "folder" if state == FOLDER else "file"
    packed = parts_of(path) is not None
    if not packed and str(path) in _listings and _listings[str(path)].states:
        return "folder"
    if packed or not str(path).startswith(WEB):
        return KINDS.get(_info(path).get("type", ""), "")
    return "folder" if listing(path).states else "file" if _info(path) else ""  # a web server knows no folders


def read(path: Path | str, limit: int, sha256: str | None = None) -> bytes:
    """The bytes of a file; from the cache where they have been fetched before. sha256: of the bytes, where known.

    Errors: DoorError where it does not exist or is larger than `limit`; AwayError, MissingPackageError.
    """
    url, cache = _url(path), picture_cache()
    if url in _ahead:
        return _ahead.pop(url)
    if sha256 is not None and (data := cache.get(sha256)) is not None:
        return data
    state = "" if sha256 is not None else _state(path)
    if (known := cache.hash_of(url, state)) and (data := cache.get(known)) is not None:
        return data
    if sha256 is None and len(beside := _following(path)) > 1:
        return _read_together(beside, limit)
    data = _fetch(path, limit)
    if len(data) <= LARGEST:
        cache.add(data, url, state)
    return data


def bring(files: Iterable[tuple[Path | str, str]]) -> None:
    """Fetch files that will be read soon, many at the same time. files: paths and hashes.

    What does not exist is told when it is read. Errors: AwayError, MissingPackageError.
    """
    cache = picture_cache()
    missing = [(str(path), sha256) for path, sha256 in dict(files).items() if not cache.has(sha256)]
    if len(missing) < 2:
        return

    def fetched(file: tuple[str, str]) -> None:
        with suppress(door.DoorError):
            read(file[0], door.PICTURE, file[1])

    with ThreadPoolExecutor(FETCHES) as pool:
        for done in [pool.submit(fetched, file) for file in missing]:
            done.result()


def head(path: Path | str, size: int) -> bytes:
    """The first bytes of a file. Errors: as of `read`."""
    url = _url(path)
    if url in _ahead:
        return _ahead[url][:size]
    if (inside_of := packed_parts(path)) and inside_of[1]:
        return read(path, door.PICTURE)[:size]
    return ask(url, lambda: system_of(url).cat_file(url, start=0, end=size))[:size]


def use(path: Path | str, what: Callable[[IO[bytes]], Got]) -> Got:
    """Open a file, call `what` with it, and return the result; only what is read is fetched. Errors: as of `read`."""
    url = _url(path)

    def used() -> Got:
        with system_of(url).open(url, "rb") as stream:
            return what(stream)

    return ask(url, used)


def _fetch(path: Path | str, limit: int) -> bytes:
    """Errors: DoorError where it does not exist or is larger than `limit`; AwayError, MissingPackageError."""
    url = _url(path)
    if (inside_of := packed_parts(path)) and inside_of[1]:
        file, member = inside_of
        url, packed = _url(file), _packed_at(file)
        if isinstance(packed, Members):
            start, size = packed.span(member, limit)
            data = ask(url, lambda: system_of(url).cat_file(url, start=start, end=start + size)) if size else b""
            if len(data) != size:
                raise door.DoorError(
                    f"{len(data)} bytes came in place of {size}: the server does not send parts of files"
                )
            return packed.unpack(member, data)
        return ask(url, lambda: packed.read(member, limit, lambda: system_of(url).open(url, "rb")))
    data = ask(url, lambda: system_of(url).cat_file(url))
    if len(data) > limit:
        raise door.DoorError(f"{len(data) / door.MB:.0f} MB; at most {limit // door.MB} MB are read")
    return data


def _packed_at(file: str) -> Packed:
    """What a packed file holds. A tar has no list of its files, so it is read from end to end, once per machine: its
    files and a list of them are kept in the cache.
    """
    if file not in _packed:
        url, state, cache = _url(file), _state(file), picture_cache()
        if file.lower().endswith(TAR):
            known = cache.hash_of(f"{url}{MEMBERS}", state)
            listed = cache.get(known) if known else None
            spans = json.loads(listed) if listed else use(file, lambda stream: _read_tar(url, state, stream))
            _packed[file] = Members({name: (start, size) for name, (start, size) in spans.items()})
        else:
            _packed[file] = use(file, lambda stream: look_into(file, stream))
    return _packed[file]


def _read_tar(url: str, state: str, stream: IO[bytes]) -> dict[str, tuple[int, int]]:
    cache = picture_cache()
    spans = {}
    for name, start, size, content in members_of(stream, LARGEST):
        spans[name] = start, size
        if len(content) == size:
            cache.add(content, f"{url}/{name}", state)
    cache.add(json.dumps(spans).encode(), f"{url}{MEMBERS}", state)
    return spans


def _read_together(paths: list[str], limit: int) -> bytes:
    """The bytes of the first file; the others are fetched at the same time, because they will be asked for next."""
    _ahead.clear()
    with ThreadPoolExecutor(FETCHES) as pool:
        waiting = {path: pool.submit(_single, path, limit) for path in paths}
    for path in paths[1:]:
        if waiting[path].exception() is None:
            _ahead[_url(path)] = waiting[path].result()
    return waiting[paths[0]].result()


def _single(path: str, limit: int) -> bytes:
    url, state, cache = _url(path), _state(path), picture_cache()
    if (known := cache.hash_of(url, state)) and (data := cache.get(known)) is not None:
        return data
    data = _fetch(path, limit)
    cache.add(data, url, state)
    return data


def _following(path: Path | str) -> list[str]:
    """A text or XML file and those that follow it in its folder, which are label files of one picture each."""
    folder, _, name = str(path).rpartition("/")
    suffix = name[-4:].lower()
    if suffix not in (".txt", ".xml") or folder not in _listings:
        return [str(path)]
    if folder not in _ordered:
        _ordered[folder] = list(_listings[folder].states)
    names = _ordered[folder]
    start = bisect.bisect_left(names, name)
    return [f"{folder}/{own}" for own in names[start : start + AHEAD] if own[-4:].lower() == suffix] or [str(path)]


def _state(path: Path | str) -> str:
    """The state of a file as text, of a packed one that of the whole; "" where the server does not tell."""
    if (inside_of := packed_parts(path)) and inside_of[1]:
        return _state(inside_of[0])
    parent, _, name = str(path).rpartition("/")
    state = _listings[parent].states.get(name, UNKNOWN) if parent in _listings else UNKNOWN
    return f"{state:x}" if state != UNKNOWN else f"{own:x}" if (own := _state_of(_info(path))) != UNKNOWN else ""


def state(path: Path | str) -> int:
    """The state of a file as it is now, by asking for this file only; UNKNOWN where it is gone or does not tell."""
    return _state_of(_info(path))


def _info(path: Path | str) -> dict[str, Any]:
    url = _url(path)
    return ask(url, lambda: system_of(url).info(url), gone={})


def _state_of(info: dict[str, Any]) -> int:
    told = next((info[name] for name in STATES if info.get(name)), None)
    if told is None:
        return UNKNOWN
    if hasattr(told, "timestamp"):  # a time, which some systems tell in two ways
        told = told.timestamp()
    return int.from_bytes(blake2b(f"{told} {info.get('size')}".encode(), digest_size=7).digest()) + 1


def _entries(url: str) -> Iterable[tuple[str, int, int]]:
    """(name, state, bytes) of what a folder holds."""
    system = system_of(url)
    found = _s3_entries(system, url) if url.startswith("s3://") else system.ls(url, detail=True)
    own = url.split("://", 1)[1].strip("/")
    for info in found:
        path = str(info["name"]).split("://", 1)[-1].strip("/")
        name = path.rpartition("/")[2]
        # hidden files, as on a disk; links that sort a page of a web server; the folder itself
        if not name or name.startswith(".") or "?" in name or path == own:
            continue
        if url.startswith("http"):
            name = unquote(name)
        folder = info["type"] == "directory"
        yield name, FOLDER if folder else _state_of(info), 0 if folder else int(info.get("size") or 0)


def _s3_entries(system: Any, url: str) -> Iterator[dict[str, Any]]:
    """The entries of a folder page by page: `ls` would hold a dictionary of a kilobyte for each."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    prefix = f"{key.strip('/')}/" if key.strip("/") else ""
    more: dict[str, str] = {}
    while True:
        page = system.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", **more)
        for entry in page.get("CommonPrefixes") or ():
            yield {"name": f"{bucket}/{entry['Prefix']}", "type": "directory"}
        for entry in page.get("Contents") or ():
            if not entry["Key"].endswith("/"):
                yield {"name": f"{bucket}/{entry['Key']}", "type": "file", "ETag": entry["ETag"], "size": entry["Size"]}
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _url(path: Path | str) -> str:
    url = url_of(path)
    if url is None:
        raise ValueError(f"{path} is no URL")
    return url
