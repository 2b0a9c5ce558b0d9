"""
Ask clamd about a message.

There are three answers and no fourth: clean, found, or L{CouldNotScan}.
Whatever is not the one line that says "OK" or "FOUND" for this very stream is
the third.  pyclamd speaks the protocol, one object for each scan; the socket
under it, its deadline and the reading of the answer are ours, because pyclamd
takes a closed connection for a clean message, sends with C{send} what may not
fit, and tries to receive five times.

All of it blocks, and none of it needs Twisted.

Standards: clamd(8), INSTREAM.
"""

import io
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

import pyclamd
from attrs import frozen

from smfd.config.value import split_clamd
from smfd.model.transaction import Body

#: A verdict is a line; a longer one is none.
LONGEST = 1024

#: Octets that are sent at once rather than one after the other.
TOGETHER = 65_536

_VERDICT = re.compile(r"stream: (?:(OK)|(\S[\x20-\x7e]{0,255}) FOUND)\Z")

Clock = Callable[[], float]


class CouldNotScan(Exception):
    """Nobody knows whether it is clean, for the reason given."""


@frozen
class Address:
    """
    Where a clamd listens.

    @ivar text: C{unix:/path} or C{tcp:host:port}, as in the settings.
    """

    text: str
    family: socket.AddressFamily
    peer: str | tuple[str, int]


def address(text: str) -> Address:
    """
    Read an address.

    @raise ValueError: it is neither C{unix:/path} nor C{tcp:host:port}.
    """
    scheme, where, port = split_clamd(text)
    if scheme == "unix":
        return Address(text, socket.AF_UNIX, where)
    family = socket.AF_INET6 if ":" in where else socket.AF_INET
    return Address(text, family, (where, port))


class _Wire:
    """A socket with one deadline for all that is done with it."""

    def __init__(self, where: Address, deadline: float, clock: Clock) -> None:
        self._deadline = deadline
        self._clock = clock
        self._waiting = b""
        self._socket = socket.socket(where.family, socket.SOCK_STREAM)
        try:
            self._patience()
            self._socket.connect(where.peer)
        except OSError:
            self._socket.close()
            raise

    def _patience(self) -> None:
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError("the deadline is over")
        self._socket.settimeout(left)

    def send(self, data: bytes) -> None:
        """
        Send all of it, and not what happens to fit, as C{send} would.

        A little waits for what follows: pyclamd sends a command, a length, the
        octets and the end one by one, and clamd would wake up for each.
        """
        if len(self._waiting) + len(data) <= TOGETHER:
            self._waiting += data
            return
        self._send_waiting()
        self._send(data)

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, b""
        self._send(waiting)

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._patience()
            view = view[self._socket.send(view) :]

    def line(self) -> bytes:
        """What is said until the other end closes or ends the line."""
        self._send_waiting()
        said = b""
        while b"\n" not in said and len(said) <= LONGEST:
            self._patience()
            data = self._socket.recv(LONGEST)
            if not data:
                break
            said += data
        return said

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


class _Scan(pyclamd.ClamdUnixSocket):  # type: ignore[misc]
    """
    One scan by pyclamd, over a socket of ours.

    @ivar answer: the line that was said last.
    """

    def __init__(self, where: Address, deadline: float, clock: Clock) -> None:
        # Not pyclamd's own: that connects once for nothing.
        self._where = where
        self._deadline = deadline
        self._clock = clock
        self.answer = ""
        self.clamd_socket: Any = None

    def _init_socket(self) -> None:
        self.clamd_socket = _Wire(self._where, self._deadline, self._clock)

    def _recv_response(self) -> str:
        if self.answer:
            return ""
        self.answer = self.clamd_socket.line().decode("ascii", "replace")
        return ""

    def rest(self) -> str:
        """What clamd said before it stopped listening."""
        with suppress(OSError):
            self._recv_response()
        return self.answer

    def close(self) -> None:
        """Let go of the socket, if there is one."""
        if self.clamd_socket is not None:
            self.clamd_socket.close()


def scan(
    where: Address, stream: BinaryIO, chunk: int, deadline: float, clock: Clock
) -> str:
    """
    Have a stream scanned; blocks until the deadline at most.

    @return: the name of what was found, or "" when it is clean.
    @raise CouldNotScan: neither is known.
    """
    session = _Scan(where, deadline, clock)
    try:
        session.scan_stream(stream, chunk)
        said = session.answer
    except OSError as e:
        # Over StreamMaxLength clamd says so and hangs up while we write.
        said = session.rest() if session.clamd_socket is not None else ""
        why = said.strip()[:200] or e.__context__ or e
        raise CouldNotScan(f"{where.text}: {why}") from e
    finally:
        session.close()
    verdict = _VERDICT.match(said.removesuffix("\n"))
    if verdict is None or not said.endswith("\n"):
        raise CouldNotScan(f"{where.text}: {said.strip()[:200]!r} is no verdict")
    return verdict.group(2) or ""


@frozen
class Clamds:
    """
    Some of them, and how they are asked.

    @ivar chunk: octets sent at once.
    """

    addresses: tuple[Address, ...]
    chunk: int = 131_072
    clock: Clock = time.monotonic

    def scan(self, body: Body, until: float) -> str:
        """
        Ask one after the other, while there is time; blocks until then.

        @param until: by the clock.
        @return: the name of what was found, or "" when it is clean.
        @raise CouldNotScan: neither is known.
        """
        reasons = []
        for n, where in enumerate(self.addresses):
            left = until - self.clock()
            # A clamd that hangs must leave some time for those behind it.
            share = left / (len(self.addresses) - n)
            try:
                with opened(body) as stream:
                    return scan(
                        where, stream, self.chunk, until - left + share, self.clock
                    )
            except (CouldNotScan, OSError) as e:
                reasons.append(str(e))
        raise CouldNotScan("; ".join(reasons) or "no clamd is named")


def opened(body: Body) -> BinaryIO:
    """The message as a file: its octets, or the spool file that has them."""
    if body.data is not None:
        return io.BytesIO(body.data)
    return open(body.path, "rb")
