"""
What a worker may do: read what it is given, compute, answer.  No more.

Each layer is used when the kernel has it; whoever enters is told which ones
hold.  There is no way out again.

Standards: Linux: prctl(2), landlock(7), seccomp(2), setrlimit(2).
"""

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Callable, Iterable, Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_FILTER = 2

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_ENTER = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
#: Rights over files that each version of Landlock knows.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

#: System calls that a worker has no use for, by machine: sockets, processes,
#: signals to others, ownership and modes, the kernel's own interfaces.
_DENIED = {
    "x86_64": (
        0xC000003E,
        (
            *(41, 42, 43, 44, 45, 46, 47, 49, 50, 53, 288, 299, 307),  # sockets
            *(56, 57, 58, 59, 322, 435, 62, 200, 234, 424, 434, 438),  # processes
            *(90, 91, 92, 93, 94, 132, 133, 188, 189, 190, 259, 260, 268, 280, 452),
            *(101, 155, 161, 165, 166, 175, 246, 248, 249, 250, 272, 298, 304, 308),
            *(310, 311, 313, 319, 321, 323, 425, 426, 427, 428, 429, 430, 431, 432),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (
            *(198, 199, 200, 201, 202, 203, 206, 207, 211, 212, 242, 243, 269),
            *(220, 221, 281, 435, 129, 130, 131, 424, 434, 438),
            *(5, 6, 7, 33, 52, 53, 54, 55, 88, 452),
            *(39, 40, 41, 51, 97, 104, 105, 117, 217, 218, 219, 241, 265, 268),
            *(270, 271, 273, 279, 280, 282, 425, 426, 427, 428, 429, 430, 431, 432),
        ),
    ),
}


def die_with_parent() -> None:
    """Be killed when the process that forked this one ends."""
    _prctl(_PR_SET_PDEATHSIG, 9)


def enter(readable: Iterable[str], memory: int = 512 << 20) -> tuple[str, ...]:
    """
    Give up everything but computing and reading below some folders.

    @param memory: octets of address space.
    @return: the layers that hold: "no-new-privs", "limits", "landlock",
        "seccomp".
    """
    layers: list[tuple[str, Callable[[], object]]] = [
        ("no-new-privs", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("landlock", lambda: _landlock(readable)),
        ("limits", lambda: _limits(memory)),
        ("seccomp", _seccomp),
    ]
    holding = []
    for name, apply in layers:
        try:
            apply()
        except (OSError, KeyError, ValueError):
            continue
        holding.append(name)
    return tuple(holding)


def allow_seconds(seconds: int) -> None:
    """From now on, use so much processor time at most, or be killed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _limits(memory: int) -> None:
    """No files written, no core, no processes, little memory."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        resource.setrlimit(kind, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


def _prctl(option: int, value: int, pointer: int = 0) -> None:
    """prctl(2), or OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    unsigned = ctypes.c_ulong
    if libc.prctl(option, unsigned(value), unsigned(pointer), unsigned(0), unsigned(0)):
        raise OSError(ctypes.get_errno(), "prctl")


def _syscall(number: int, *arguments: object) -> int:
    """A system call that libc has no name for, or OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


def _landlock(readable: Iterable[str]) -> None:
    """Read below some folders; no other file, no TCP, no signal to others."""
    version = _syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    rights = (1 << _FILE_RIGHTS[min(version, 5)]) - 1
    attributes = struct.pack("=Q", rights)
    if version >= 4:
        attributes += struct.pack("=Q", 3)  # bind and connect
    if version >= 6:
        attributes += struct.pack("=Q", 3)  # abstract sockets and signals
    rules = _syscall(
        _LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)
    )
    try:
        for folder in readable:
            _readable(rules, folder)
        _syscall(_LANDLOCK_ENTER, ctypes.c_int(rules), ctypes.c_uint(0))
    finally:
        os.close(rules)


def _readable(rules: int, folder: str) -> None:
    """Let files below a folder be read, when there is such a folder."""
    try:
        handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        beneath = struct.pack("=Qi", _READ_FILE | _READ_DIR, handle)
        _syscall(
            *(_LANDLOCK_ADD, ctypes.c_int(rules), ctypes.c_int(1)),
            *(beneath, ctypes.c_uint(0)),
        )
    finally:
        os.close(handle)


def _seccomp() -> None:
    """Have the kernel refuse what L{_DENIED} lists, with EPERM."""
    machine, denied = _DENIED[platform.machine()]
    program = b"".join(_program(machine, denied))
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count, and where the instructions are.
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    block = ctypes.create_string_buffer(head, len(head))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(block))


def _program(machine: int, denied: Sequence[int]) -> Iterable[bytes]:
    """The filter: load, compare, jump, return."""
    load, equal, above, leave = 0x20, 0x15, 0x35, 0x06
    kill, refuse, allow = 0x80000000, 0x00050001, 0x7FFF0000
    yield struct.pack("=HBBI", load, 0, 0, 4)  # the machine
    yield struct.pack("=HBBI", equal, 1, 0, machine)
    yield struct.pack("=HBBI", leave, 0, 0, kill)
    yield struct.pack("=HBBI", load, 0, 0, 0)  # the number
    # Numbers of the x32 personality would slip through the list.
    yield struct.pack("=HBBI", above, len(denied) + 1, 0, 0x40000000)
    for index, number in enumerate(denied):
        yield struct.pack("=HBBI", equal, len(denied) - index, 0, number)
    yield struct.pack("=HBBI", leave, 0, 0, allow)
    yield struct.pack("=HBBI", leave, 0, 0, refuse)
