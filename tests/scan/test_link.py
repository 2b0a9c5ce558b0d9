"""What a worker says is believed to be words, and no more."""

import json
import marshal
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.transaction import Body
from smfd.scan.link import Job, JobFailed, Link


class Watching:
    """A crew that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def arrived(self, link: Link, layers: tuple[str, ...]) -> None:
        """One is there."""
        self.told.append(("arrived", layers))

    def free(self, link: Link) -> None:
        """One has nothing to do."""
        self.told.append("free")

    def gone(self, link: Link) -> None:
        """One ended."""
        self.told.append("gone")

    def kill(self, pid: int) -> None:
        """One must be ended."""
        self.told.append("kill")


def framed(said: object) -> bytes:
    """A frame as a worker writes it."""
    octets = json.dumps(said).encode()
    return struct.pack(">I", len(octets)) + octets


def job(data: bytes = b"x\r\n") -> Job:
    """A job that waits for its worker."""
    return Job("echo", Body(len(data), data), {"a": "\udcff", "b": None}, Deferred())


class LinkTests(SynchronousTestCase):
    """A worker's connection, without the worker."""

    def setUp(self) -> None:
        self.crew = Watching()
        self.link = Link(self.crew)
        self.transport = StringTransport()
        self.link.transport = self.transport

    def greeted(self) -> None:
        """The worker has said who it is."""
        self.link.dataReceived(framed({"sandbox": ["seccomp"]}))
        self.assertEqual([("arrived", ("seccomp",))], self.crew.told)
        self.crew.told.clear()

    def test_job(self) -> None:
        """A job goes out with its message behind it, and its answer comes back."""
        self.greeted()
        given = job()
        self.link.begin(given, 5.0)
        sent = self.transport.value()
        size = struct.unpack_from(">I", sent)[0]
        head = marshal.loads(sent[4 : size + 4])
        self.assertEqual({"a": "\udcff", "b": None}, head["arguments"])
        self.assertEqual(("echo", 3, ""), (head["job"], head["size"], head["path"]))
        self.assertEqual(b"x\r\n", sent[size + 4 :])
        for octet in framed({"answer": [1]}):
            self.assertEqual([], self.crew.told)
            self.link.dataReceived(bytes([octet]))
        self.assertEqual([1], self.successResultOf(given.done))
        self.assertEqual(["free"], self.crew.told)

    def test_by_name(self) -> None:
        """A large message is named, and none of it sent."""
        given = Job("echo", Body(9, None, "/spool/one"), {}, Deferred())
        size = struct.unpack_from(">I", given.frame())[0]
        self.assertEqual(size + 4, len(given.frame()))
        self.assertEqual("/spool/one", marshal.loads(given.frame()[4:])["path"])

    def test_last(self) -> None:
        """A worker that says it is its last answer gets no other job."""
        self.greeted()
        given = job()
        self.link.begin(given, 5.0)
        self.link.dataReceived(framed({"error": "MemoryError", "last": True}))
        self.failureResultOf(given.done, JobFailed)
        self.assertEqual([], self.crew.told)

    def test_too_late(self) -> None:
        """An answer that comes while its worker is killed brings no other job."""
        self.greeted()
        given = job()
        self.link.begin(given, 5.0)
        self.link.late()
        self.link.dataReceived(framed({"answer": 1}))
        self.assertEqual(["kill"], self.crew.told)

    def test_unasked(self) -> None:
        """Who speaks when nobody asked is ended."""
        self.greeted()
        self.link.dataReceived(framed({"answer": 1}))
        self.assertEqual(["kill"], self.crew.told)

    def test_endless(self) -> None:
        """An answer too long to be one is not waited for."""
        self.link.dataReceived(struct.pack(">I", (1 << 20) + 1))
        self.assertEqual(["kill"], self.crew.told)

    @given(st.binary(max_size=60))
    def test_anything(self, octets: bytes) -> None:
        """Whatever is in a frame, it is an answer or the worker's end."""
        self.setUp()
        self.greeted()
        given = job()
        self.link.begin(given, 5.0)
        self.link.dataReceived(struct.pack(">I", len(octets)) + octets)
        self.assertIn(self.crew.told, (["free"], [], ["kill"]))
        given.done.addErrback(lambda _: None)
