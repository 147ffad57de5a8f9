"""What a seccomp program answers to a system call, worked out here: the kernel's answer on any architecture."""

from __future__ import annotations

import struct
from collections.abc import Sequence

# linux/filter.h: what a code means in a classic BPF program; seccomp allows loads of 32-bit words only.
LOAD_WORD, LOAD_NUMBER = 0x20, 0x00
AND, OR, SHIFT_RIGHT = 0x54, 0x44, 0x74
JUMP, RETURN = 0x05, 0x06
CONDITIONS = {
    0x15: lambda value, k: value == k,
    0x25: lambda value, k: value > k,
    0x35: lambda value, k: value >= k,
    0x45: lambda value, k: value & k != 0,
}

# linux/seccomp.h: what a filter may answer; an errno lies in the lower half.
KILL_PROCESS, ERRNO, ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000
AUDIT_ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7, "i386": 0x4000_0003, "arm": 0x4000_0028}


def answer(program: bytes, architecture: int, number: int, arguments: Sequence[int] = ()) -> int:
    """The action a filter takes on a call. architecture: AUDIT_ARCH_*; arguments: up to six, 64 bits each."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, architecture, 0, *padded)  # struct seccomp_data; address 0
    instructions = list(struct.iter_unpack("<HBBI", program))
    accumulator = at = 0
    while True:
        code, when_true, when_false, k = instructions[at]
        at += 1  # jumps count from the next instruction, and go forward only
        if code == LOAD_WORD:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif code == LOAD_NUMBER:
            accumulator = k
        elif code == AND:
            accumulator &= k
        elif code == OR:
            accumulator |= k
        elif code == SHIFT_RIGHT:
            accumulator >>= k
        elif code == JUMP:
            at += k
        elif code in CONDITIONS:
            at += when_true if CONDITIONS[code](accumulator, k) else when_false
        elif code == RETURN:
            return k
        else:
            raise ValueError(f"instruction {at - 1} has the unknown code {code:#x}")
