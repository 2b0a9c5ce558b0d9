"""
One worker, as seen from here: its connection, and the job it is at.
"""

import json
import marshal
import socket
import struct
from typing import Any, Protocol

from attrs import define
from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from smfd.model.transaction import Body

_LENGTH = struct.Struct(">I")

#: Octets of an answer, at most.
_ANSWER = 1 << 20


class JobFailed(Exception):
    """The job ended with an error; the message says which."""


@define(eq=False)
class Job:
    """
    A job, from its submission to its answer.

    @ivar done: fires with the answer.
    @ivar tries: how often it was begun.
    @ivar over: nobody waits for it any more.
    @ivar link: the worker that has it, or had it last.
    """

    name: str
    body: Body
    arguments: dict[str, Any]
    done: Deferred[Any]
    tries: int = 0
    over: bool = False
    link: "Link | None" = None

    def frame(self) -> bytes:
        """What a worker is sent."""
        data = self.body.data
        head = marshal.dumps(
            {
                "job": self.name,
                "arguments": self.arguments,
                "size": self.body.size,
                "path": "" if data is not None else self.body.path,
            }
        )
        return _LENGTH.pack(len(head)) + head + (data or b"")

    def answer(self, answer: Any) -> None:
        """Tell whoever waits, unless nobody does any more."""
        if self.over:
            return
        self.over = True
        if isinstance(answer, Exception):
            self.done.errback(answer)
        else:
            self.done.callback(answer)


class Crew(Protocol):
    """Whom a worker belongs to: L{Workers <smfd.scan.workers.Workers>}."""

    def arrived(self, link: "Link", layers: tuple[str, ...]) -> None:
        """It is ready for its first job, and confined by those layers."""

    def free(self, link: "Link") -> None:
        """It is ready for another job."""

    def gone(self, link: "Link") -> None:
        """It ended."""

    def kill(self, pid: int) -> None:
        """It must be ended."""


class Link(protocol.Protocol):
    """
    The connection of one worker.

    @ivar pid: of the worker, as the kernel says.
    @ivar job: what it is at.
    @ivar due: when it should be done with that, by the reactor's clock.
    @ivar overdue: it was killed for being slow.
    """

    def __init__(self, crew: Crew) -> None:
        self.pid = 0
        self.job: Job | None = None
        self.due = 0.0
        self.overdue = False
        self._greeted = False
        self._crew = crew
        self._received = b""

    def connectionMade(self) -> None:
        handle = self.transport.getHandle()  # type: ignore[union-attr]
        size = struct.calcsize("3i")
        told = handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        self.pid = struct.unpack("3i", told)[0]

    def hang_up(self) -> None:
        """Close the connection; the worker ends by that."""
        assert self.transport is not None
        self.transport.loseConnection()

    def begin(self, job: Job, due: float) -> None:
        """Send a job."""
        assert self.transport is not None
        self.job, self.due = job, due
        job.link = self
        job.tries += 1
        self.transport.write(job.frame())

    def late(self) -> None:
        """The job is not done in time, and never will be."""
        self.overdue = True
        self._crew.kill(self.pid)

    def dataReceived(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        if len(received) < 4:
            return
        size = _LENGTH.unpack_from(received)[0]
        if size > _ANSWER:
            self._crew.kill(self.pid)
        elif len(received) >= size + 4:
            self._received = b""
            self._heard(received[4 : size + 4])

    def _heard(self, octets: bytes) -> None:
        """One whole frame has come: the worker's greeting, or an answer."""
        try:
            said = json.loads(octets.decode())
            assert isinstance(said, dict)
        except (ValueError, AssertionError, RecursionError):
            self._crew.kill(self.pid)
            return
        job, self.job = self.job, None
        if job is not None:
            self._answered(job, said)
        elif self._greeted:
            self._crew.kill(self.pid)
        else:
            self._greeted = True
            layers = tuple(str(layer) for layer in said.get("sandbox", ()))
            self._crew.arrived(self, layers)

    def _answered(self, job: Job, said: dict[str, Any]) -> None:
        if not (self.overdue or "last" in said):
            self._crew.free(self)
        if "answer" in said:
            job.answer(said["answer"])
        else:
            job.answer(JobFailed(str(said.get("error", ""))[:500]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._crew.gone(self)
