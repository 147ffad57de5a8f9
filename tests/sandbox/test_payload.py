"""What goes into the sandbox comes out the same, and nobody can change it on the way."""

import ctypes
import errno
import fcntl
import mmap
import os
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from metricloop.sandbox.payload import ALIGNMENT, pack, unpack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory files that can be sealed are Linux's")

PAGE = mmap.PAGESIZE
IMAGE = np.arange(3 * PAGE, dtype=np.uint8)


def through(meta, given_arrays, seal=True):
    descriptor = pack(meta, given_arrays, seal)
    try:
        return unpack(descriptor)
    finally:
        os.close(descriptor)


@pytest.fixture
def sealed():
    descriptor = pack(None, {"image": IMAGE})
    yield descriptor
    os.close(descriptor)


kinds = st.sampled_from(["u1", "f4", "f8", "i8", "i4", "?", "<U5", "<U1", ">f4"])
shapes = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
names = st.text(st.sampled_from("ab0.-ä "), max_size=6)


@given(
    parts=st.dictionaries(names, st.tuples(kinds, shapes).flatmap(lambda one: arrays.arrays(*one)), max_size=5),
    meta=st.recursive(st.none() | st.integers() | st.text(max_size=50), lambda inner: st.lists(inner, max_size=3)),
)
@settings(max_examples=150, deadline=None)
def test_everything_comes_out_as_it_went_in(parts, meta):
    said, found = through(meta, parts)
    assert said == meta
    assert list(found) == list(parts)
    for name, array in parts.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == np.ascontiguousarray(array).tobytes()  # bytes, so that nan equals nan


def test_nothing_at_all():
    assert through({"scope": "frame"}, {}) == ({"scope": "frame"}, {})


@pytest.mark.parametrize(
    "array",
    [
        IMAGE.reshape(3, PAGE).T,  # columns first
        IMAGE[::7],
        IMAGE[::-1],
        np.broadcast_to(np.float32([1, 2, 3]), (4, 3)),
        np.array(5.0),
    ],
)
def test_arrays_that_do_not_lie_in_one_piece(array):
    _, found = through(None, {"odd": array})
    np.testing.assert_array_equal(found["odd"], array, strict=True)


def test_arrays_begin_on_cache_lines():
    _, found = through("x" * 77, {f"{n}": np.ones(n, np.uint8) for n in range(1, 200, 13)})
    for array in found.values():
        assert array.ctypes.data % ALIGNMENT == 0


def test_the_views_are_read_only_and_cannot_be_made_writeable():
    _, found = through(None, {"image": IMAGE})
    with pytest.raises(ValueError, match="read-only"):
        found["image"][0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        found["image"].flags.writeable = True


def test_objects_are_refused():
    with pytest.raises(TypeError, match="array of references"):
        through(None, {"objects": np.array([{}, []], dtype=object)})


def test_a_failure_to_pack_leaves_nothing_open():
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(TypeError, match="array of references"):
        pack(None, {"objects": np.array([{}], dtype=object)})
    with pytest.raises(TypeError, match="JSON"):
        pack({1, 2}, {})
    assert sorted(os.listdir("/proc/self/fd")) == before


# Its maker holds a descriptor that was opened for reading and writing; the seals bind it all the same.


@pytest.mark.parametrize(
    "change",
    [
        lambda d: os.write(d, b"x"),
        lambda d: os.pwrite(d, b"x", 0),
        lambda d: os.pwrite(d, b"x", 2 * PAGE),
        lambda d: os.pwrite(d, b"x", 100 * PAGE),
        lambda d: os.truncate(d, 0),
        lambda d: os.ftruncate(d, 1),
        lambda d: os.ftruncate(d, 100 * PAGE),
        lambda d: os.posix_fallocate(d, 0, 100 * PAGE),
        lambda d: mmap.mmap(d, PAGE, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE),
        lambda d: fcntl.fcntl(d, fcntl.F_ADD_SEALS, 0),
        lambda d: os.pwrite(os.open(f"/proc/self/fd/{d}", os.O_RDWR), b"x", 0),
    ],
)
def test_a_sealed_file_cannot_be_changed(sealed, change):
    size = os.fstat(sealed).st_size
    with pytest.raises(OSError) as raised:
        change(sealed)
    assert raised.value.errno in (errno.EPERM, errno.EACCES)
    assert os.fstat(sealed).st_size == size
    np.testing.assert_array_equal(unpack(sealed)[1]["image"], IMAGE)


@pytest.mark.parametrize(
    "change", [lambda d: os.pwrite(d, b"\xff" * PAGE, PAGE), lambda d: os.ftruncate(d, 0)], ids=["write", "truncate"]
)
def test_without_the_seals_it_can(change):
    """So it is the seals that held above."""
    descriptor = pack(None, {"image": IMAGE}, seal=False)
    before = os.pread(descriptor, 1 << 20, 0)
    change(descriptor)
    assert os.pread(descriptor, 1 << 20, 0) != before
    os.close(descriptor)


def test_a_write_that_is_forced_changes_a_private_copy(sealed):
    """mprotect(2) on the mapping, then memmove: what hostile code with ctypes would do."""
    libc = ctypes.CDLL(None, use_errno=True)
    _, found = unpack(sealed)
    image = found["image"]
    address = image.ctypes.data
    page = address - address % PAGE
    length = ctypes.c_size_t(address - page + image.nbytes)
    assert libc.mprotect(ctypes.c_void_p(page), length, mmap.PROT_READ | mmap.PROT_WRITE) == 0
    ctypes.memmove(address, b"\xff" * image.nbytes, image.nbytes)
    assert (image == 0xFF).all()
    np.testing.assert_array_equal(unpack(sealed)[1]["image"], IMAGE)
