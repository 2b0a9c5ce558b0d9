"""
The worker processes: a master that forks, children that judge.

The master imports and compiles everything once and never sees a message.
Children are forked from it in a few milliseconds, connect to the daemon's
socket, lock themselves in and serve one job at a time.  What they say is
JSON, so that a child that was taken over has nothing but words.  What they are
told comes from their own daemon and may be L{marshal}'s, which is quicker.

A frame is four octets, its length, and that.  A job is
C{{"job": name, "arguments": {...}, "size": octets, "path": file or ""}}, then
the octets if there is no path.  An answer is C{{"answer": ...}} or
C{{"error": ...}}; with C{"last"} the child ends after it.
"""

import argparse
import ctypes
import gc
import json
import marshal
import os
import select
import signal
import socket
import struct
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from attrs import Factory, define, frozen

from smfd.content import sandbox
from smfd.content.eicar import examine
from smfd.content.excerpt import excerpt
from smfd.content.inside import look_inside
from smfd.content.judge import Judge
from smfd.content.reports import complaint, read_reports
from smfd.content.rules.compile import RuleFaults, RuleSet, load_rules

Job = Callable[[bytes, dict[str, Any]], Any]

#: Octets of an answer, at most.
ANSWER = 1 << 20

#: Octets of a job without its message, at most.
_HEAD = 1 << 20

_LENGTH = struct.Struct(">I")


@frozen
class Child:
    """
    One worker process, from the fork to its end.

    @ivar address: the daemon's socket.
    @ivar readable: folders it may read files of.
    @ivar seconds: processor time for one job.
    @ivar memory: octets of address space.
    """

    address: str
    jobs: Mapping[str, Job]
    readable: tuple[str, ...]
    seconds: int
    memory: int

    def run(self) -> None:
        """Connect, lock in, serve until the daemon hangs up."""
        sandbox.die_with_parent()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        fd = connection.detach()
        python = sysconfig.get_paths()
        code = {python[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
        layers = sandbox.enter((*self.readable, *code), self.memory)
        _send(fd, {"sandbox": layers, "jobs": sorted(self.jobs)})
        while (answer := self._serve(fd)) is not None:
            _send(fd, answer)
            if "last" in answer:
                break

    def _serve(self, fd: int) -> dict[str, Any] | None:
        """Take one job and do it; None when there are no more."""
        length = _read(fd, _LENGTH.size)
        if len(length) < _LENGTH.size:
            return None
        size = _LENGTH.unpack(length)[0]
        if size > _HEAD:
            return None
        head = marshal.loads(_read(fd, size))
        data = b"" if head["path"] else _read(fd, head["size"])
        sandbox.allow_seconds(self.seconds)
        try:
            if head["path"]:
                data = _load(head["path"], head["size"])
            return {"answer": self.jobs[head["job"]](data, head["arguments"])}
        except MemoryError:
            return {"error": "MemoryError", "last": True}
        except Exception as failure:
            return {"error": f"{type(failure).__name__}: {failure}"[:500]}


@define
class Master:
    """
    Forks children, and again when they end.

    It reads commands from its standard input: C{kill PID}, a line each.  When
    that ends, so does everything here, and the socket's folder is removed.

    @ivar size: how many children.
    """

    child: Child
    size: int
    children: dict[int, float] = Factory(dict)
    haste: int = 0

    def run(self) -> None:
        """Run until the daemon is gone."""
        gc.collect()
        gc.freeze()  # or collecting would unshare the pages
        with suppress(AttributeError):  # glibc: what compiling left is given back
            ctypes.CDLL(None).malloc_trim(0)
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        poll = select.poll()
        for fd in (0, woken):
            poll.register(fd, select.POLLIN)
        while True:
            while len(self.children) < self.size:
                self._fork()
            ready = {fd for fd, _ in poll.poll()}
            if 0 in ready and not self._commanded(os.read(0, 65536)):
                break
            if woken in ready:
                os.read(woken, 4096)
                self._reap()
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        # A daemon that was killed could not do this itself.
        with suppress(OSError):
            os.unlink(self.child.address)
            os.rmdir(os.path.dirname(self.child.address))

    def _fork(self) -> None:
        """Make a child; later, when children die as soon as they live."""
        time.sleep(min(0.5, 0.01 * 2**self.haste) if self.haste else 0)
        pid = os.fork()
        if pid:
            self.children[pid] = time.monotonic()
            return
        try:
            signal.set_wakeup_fd(-1)
            os.close(0)
            self.child.run()
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _reap(self) -> None:
        """Note which children are gone."""
        for pid in list(self.children):
            if os.waitpid(pid, os.WNOHANG)[0]:
                lived = time.monotonic() - self.children.pop(pid)
                self.haste = min(6, self.haste + 1) if lived < 1 else 0

    def _commanded(self, lines: bytes) -> bool:
        """Obey; whether there may be more to come."""
        for line in lines.split(b"\n"):
            word, _, number = line.partition(b" ")
            if word == b"kill" and number.isdigit() and int(number) in self.children:
                os.kill(int(number), signal.SIGKILL)
        return bool(lines)


def _read(fd: int, size: int) -> bytes:
    """Read so many octets, or fewer when there are no more."""
    first = os.read(fd, min(size, 1 << 20)) if size else b""
    if len(first) == size or not first:
        return first
    whole = bytearray(first)
    while len(whole) < size:
        more = os.read(fd, min(size - len(whole), 1 << 20))
        if not more:
            break
        whole += more
    return bytes(whole)


def _send(fd: int, answer: dict[str, Any]) -> None:
    """Write a frame."""
    octets = json.dumps(answer, separators=(",", ":")).encode()
    if len(octets) > ANSWER:
        octets = b'{"error":"the answer is too long"}'
    view = memoryview(_LENGTH.pack(len(octets)) + octets)
    while view:
        view = view[os.write(fd, view) :]


def _load(path: str, size: int) -> bytes:
    """Read a spool file; it must be as long as was said."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        data = _read(fd, size)
    finally:
        os.close(fd)
    if len(data) != size:
        raise ValueError("the spool file is cut short")
    return data


def jobs(rules: RuleSet) -> dict[str, Job]:
    """The jobs of the daemon's workers."""
    from smfd.content.arc import Chains
    from smfd.content.signatures import Verifier

    return {
        "arc": Chains().verify,
        "complaint": complaint,
        "content": Judge(rules).judge,
        "dkim": Verifier().verify,
        "dmarc": read_reports,
        "excerpt": excerpt,
        "inside": look_inside,
        "virus": examine,
    }


def arguments(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="smfd.content.worker")
    parser.add_argument("--socket", required=True, help="the daemon's socket")
    parser.add_argument("--size", type=int, default=2, help="children")
    parser.add_argument("--rules", nargs="*", default=[], help="folders of rules")
    parser.add_argument("--compiled", type=Path, help="folder of compiled rules")
    parser.add_argument("--spool", default="", help="folder of large messages")
    parser.add_argument("--seconds", type=int, default=10, help="for one job")
    parser.add_argument("--memory", type=int, default=512, help="MiB for a child")
    return parser.parse_args(argv)


def run(given: argparse.Namespace, jobs: Mapping[str, Job]) -> None:
    """Be the master of children that do these jobs."""
    readable = (given.spool,) if given.spool else ()
    child = Child(given.socket, jobs, readable, given.seconds, given.memory << 20)
    Master(child, given.size).run()


def main(argv: list[str]) -> None:
    """Start the master; broken rules end it with a word for each fault."""
    given = arguments(argv)
    try:
        rules = load_rules(*given.rules, compiled=given.compiled)
    except RuleFaults as wrong:
        sys.exit(f"rules: {wrong}")
    # dkimpy wants a resolver when it is imported; we have no network to use
    # one on, and it would cost each box several megabytes.
    sys.modules.setdefault("dns.resolver", ModuleType("dns.resolver"))
    run(given, jobs(rules))


if __name__ == "__main__":
    main(sys.argv[1:])
