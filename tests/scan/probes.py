"""A worker master whose jobs try what a taken-over worker would try."""

import ctypes
import os
import socket
import sys
import time
from typing import Any, NoReturn

from smfd.content.worker import arguments, run


def attempt(data: bytes, given: dict[str, Any]) -> str:
    """Do a forbidden thing by name; say how it ended."""
    try:
        globals()["try_" + given["what"]](given)
        return "done"
    except OSError as failure:
        return f"refused: {failure.errno}"


def try_open(given: dict[str, Any]) -> None:
    """Read a file outside the spool."""
    os.open(given["path"], os.O_RDONLY)


def try_spool(given: dict[str, Any]) -> None:
    """Write into the spool."""
    os.open(given["path"], os.O_WRONLY | os.O_CREAT)


def try_unlink(given: dict[str, Any]) -> None:
    """Remove a file of the spool."""
    os.unlink(given["path"])


def try_chmod(given: dict[str, Any]) -> None:
    """Change the mode of a file of the spool."""
    os.chmod(given["path"], 0o777)


def try_connect(given: dict[str, Any]) -> None:
    """Call somebody."""
    socket.create_connection(("127.0.0.1", given["port"]))


def try_exec(given: dict[str, Any]) -> None:
    """Become another program."""
    os.execv("/bin/true", ["true"])


def try_fork(given: dict[str, Any]) -> None:
    """Multiply."""
    os.fork()


def try_kill(given: dict[str, Any]) -> None:
    """Harm the master."""
    os.kill(os.getppid(), 0)


def allocate(data: bytes, given: dict[str, Any]) -> int:
    """Take ten gigabytes."""
    return len(bytearray(10 << 30))


def loop(data: bytes, given: dict[str, Any]) -> NoReturn:
    """Never end."""
    while True:
        if not given.get("busy"):
            time.sleep(1)


def crash(data: bytes, given: dict[str, Any]) -> None:
    """Die by a bad address."""
    ctypes.string_at(0)


def crash_once(data: bytes, given: dict[str, Any]) -> int:
    """Die unless the worker is a late one."""
    if os.getpid() == given["pid"]:
        os._exit(1)
    return os.getpid()


def raises(data: bytes, given: dict[str, Any]) -> None:
    """Fail in a way of choice."""
    failures = {"recursion": RecursionError, "key": KeyError, "memory": MemoryError}
    raise failures[given["what"]]("on purpose")


def echo(data: bytes, given: dict[str, Any]) -> dict[str, Any]:
    """Say what came."""
    return {"size": len(data), "sum": sum(data), "given": given, "pid": os.getpid()}


def flood(data: bytes, given: dict[str, Any]) -> str:
    """Answer at length."""
    return "x" * (3 << 20)


if __name__ == "__main__":
    run(
        arguments(sys.argv[1:]),
        {
            job.__name__: job
            for job in (attempt, allocate, loop, echo, crash, crash_once, raises, flood)
        },
    )
