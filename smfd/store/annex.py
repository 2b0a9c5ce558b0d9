"""
A second process of ours, for work that would hold the interpreter's lock.

A thread that writes files takes and leaves the lock at every call of the
system, and each time the reactor waits for it.  In a process of its own the
same work costs the reactor one message there and one back.
"""

import os
import pickle
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from operator import methodcaller
from pathlib import Path
from types import MethodType
from typing import Any, TypeVar

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

import smfd
from smfd.interfaces import IHands
from smfd.store.annex_process import LENGTH
from smfd.store.threads import Closed

T = TypeVar("T")

#: The descriptor that the process finds its socket at.
_SOCKET = 3

#: Seconds that a process whose work is done has to end.
_GRACE = 5.0


class AnnexEnded(Closed):
    """The process is gone; what it was asked may be done, or half, or not."""


class Annex(Service):
    """
    The process, started anew when it ends.

    @ivar pid: of the process; None while there is none.
    """

    _log = Logger()

    def __init__(self, reactor: Any, lock: Path) -> None:
        """
        @param lock: a file that the process locks, so that it begins when the
            one before it, of a daemon that was killed, has ended.
        """
        self.pid: int | None = None
        self._reactor = reactor
        self._lock = lock
        self._numbers = count()
        self._asked: dict[int, Deferred[Any]] = {}
        self._link: _Link | None = None
        self._again: IDelayedCall | None = None
        self._failures = 0
        self._idle: Deferred[None] | None = None
        self._over: Deferred[None] | None = None

    def desk(self, name: str, most: int = 1) -> "Desk":
        """
        A queue of its own, served by so many threads; one makes it a line.

        @param name: no other desk has it.
        """
        return Desk(self, name, most)

    def startService(self) -> None:
        """Start the process."""
        super().startService()
        os.close(os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._spawn()

    def stopService(self) -> "Deferred[None]":
        """Finish what was asked; fires when the process is gone."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def call(
        self, desk: "Desk", function: Callable[..., T], args: tuple[object, ...]
    ) -> "Deferred[T]":
        """Have a function called there; see L{Desk.run}."""
        if self._link is None or not self.running:
            return fail(AnnexEnded("the annex is not running"))
        if isinstance(function, MethodType):
            # Twisted pickles methods in a way that needs Twisted there, too.
            owner = function.__self__
            function, args = methodcaller(function.__name__, *args), (owner,)
        number = next(self._numbers)
        frame = pickle.dumps((number, desk.name, desk.most, function, args), 5)
        answer: Deferred[T] = Deferred(lambda _: self._forget(number))
        self._asked[number] = answer
        self._link.say(frame)
        return answer

    # What the process tells us.

    def answered(self, number: int, well: bool, value: Any) -> None:
        """One call is done."""
        self._failures = 0
        answer = self._asked.pop(number, None)
        if answer is not None:
            (answer.callback if well else answer.errback)(value)
        self._rest()

    def ended(self, reason: Failure) -> None:
        """The process is gone."""
        link, self._link, self.pid = self._link, None, None
        if link is not None:
            link.hang_up()
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            answer.errback(AnnexEnded("the annex ended before it was done"))
        self._rest()
        if self._over is not None:
            self._over.callback(None)
        elif self.running:
            delay = min(30.0, 0.1 * 2**self._failures)
            self._failures += 1
            self._log.error(
                "the annex ended ({why}), again in {s} s",
                why=reason.getErrorMessage(),
                s=delay,
            )
            self._again = self._reactor.callLater(delay, self._spawn)

    # What we do.

    def _forget(self, number: int) -> None:
        """Nobody waits for it any more; it is done all the same."""
        self._asked.pop(number, None)
        self._rest()

    def _rest(self) -> None:
        if self._idle is not None and not self._asked:
            idle, self._idle = self._idle, None
            idle.callback(None)

    def _spawn(self) -> None:
        ours, its = socket.socketpair()
        ours.setblocking(False)
        link = self._link = _Link(self)
        factory = Factory.forProtocol(lambda: link)
        factory.noisy = False
        self._reactor.adoptStreamConnection(ours.fileno(), ours.family, factory)
        ours.close()
        module = "smfd.store.annex_process"
        root = str(Path(smfd.__file__).parents[1])
        line = (sys.executable, "-m", module, str(_SOCKET), str(self._lock))
        transport = self._reactor.spawnProcess(
            _Process(self),
            line[0],
            line,
            env={"PYTHONPATH": root, "LANG": "C.UTF-8"},
            childFDs={0: "w", 1: "r", 2: "r", _SOCKET: its.fileno()},
        )
        self.pid = transport.pid
        its.close()

    async def _stop(self) -> None:
        if self._again is not None and self._again.active():
            self._again.cancel()
        if self._asked:
            self._idle = Deferred()
            await self._idle
        if self._link is not None:
            self._over = Deferred()
            self._link.hang_up()
            late = self._reactor.callLater(_GRACE, self._kill)
            await self._over
            if late.active():
                late.cancel()

    def _kill(self) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, 9)


@implementer(IHands)
@frozen
class Desk:
    """A place in the annex where work is given in."""

    annex: Annex
    name: str
    most: int

    def run(self, function: Callable[..., T], *args: object) -> "Deferred[T]":
        """
        Call a function there; what goes and comes is pickled.

        Fails with what the function raised, and with L{AnnexEnded} when the
        process ended before it was done.  To cancel it lets go of the answer.
        """
        return self.annex.call(self, function, args)


class _Link(Protocol):
    """Our end of the socket."""

    def __init__(self, annex: Annex) -> None:
        self._annex = annex
        self._received = bytearray()

    def say(self, frame: bytes) -> None:
        """Send one frame."""
        assert self.transport is not None
        self.transport.writeSequence([LENGTH.pack(len(frame)), frame])

    def hang_up(self) -> None:
        """Nothing more comes."""
        if self.transport is not None:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        received = self._received
        received += data
        start = 0
        while len(received) - start >= LENGTH.size:
            end = start + LENGTH.size + LENGTH.unpack_from(received, start)[0]
            if len(received) < end:
                break
            self._annex.answered(*pickle.loads(received[start + LENGTH.size : end]))
            start = end
        del received[:start]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end of the process is what counts."""


class _Process(ProcessProtocol):
    """The process, as its parent sees it."""

    _log = Logger()

    def __init__(self, annex: Annex) -> None:
        self._annex = annex

    def errReceived(self, data: bytes) -> None:
        self._log.error("annex: {text}", text=data.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        self._annex.ended(reason)
