"""Tests for L{smfd.delivery.signer}."""

import os
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults

from smfd.content.signatures import verify
from smfd.delivery.signer import Signer
from smfd.format.header import read_header
from smfd.model.entry import Entry, Recipient
from smfd.model.transaction import Body
from smfd.store.directory_dkim import DKIMKeys
from smfd.store.threads import Closed
from tests.store.making import REACTOR, make_record
from tests.store.test_directory import DirectoryTestCase
from tests.store.test_directory_dkim import HOME, PAIRS

LETTER = b"From: Ann <ann@home.example>\r\nSubject: %d\r\n\r\nHi.\r\n"
BY: Any = {"actor": "uid:test"}


def entry(data: bytes, *destinations: str) -> Entry:
    """A message on its way there."""
    recipients = tuple(
        Recipient(number, "x@far.example", where)
        for number, where in enumerate(destinations or ("remote",), 1)
    )
    body, record = Body(len(data), data), make_record("ID")
    return Entry("ID", 1.0, "", body, b"Received: x\r\n", (), recipients, record)


class SignerTests(DirectoryTestCase):
    """What is signed, and with which keys."""

    async def start(self, signs: bool = True) -> Signer:
        """With keys for one domain."""
        self.keys = DKIMKeys(await self.build())
        made = await self.keys.add(HOME, PAIRS[:2], **BY)
        self.records = {key.name: key.record for key in made}
        signer = Signer(self.keys, REACTOR, signs)
        signer.startService()
        self.addCleanup(signer.stopService)
        return signer

    def results(self, made: Entry, data: bytes) -> list[str]:
        """What a receiver says."""
        found = verify(made.top + data, {"keys": self.records})
        return [one["result"] for one in found]

    async def test_leaves(self) -> None:
        """What goes to others is signed twice, above all that we wrote."""
        signer = await self.start()
        data = LETTER % 1
        made = await signer.signed(entry(data, "maildir", "remote"))
        self.assertEqual(["pass", "pass"], self.results(made, data))
        self.assertTrue(made.top.endswith(b"\r\nReceived: x\r\n"))

    async def test_stays(self) -> None:
        """What only goes to mailboxes here is not."""
        signer = await self.start()
        before = entry(LETTER % 1, "maildir")
        self.assertIs(before, await signer.signed(before))

    async def test_without(self) -> None:
        """Without keys, without an author, or when it is off: as it was."""
        signer = await self.start()
        for data in (
            b"From: <ann@far.example>\r\n\r\n",
            b"Subject: x\r\n\r\n",
            b"From: <a@home.example>, <b@home.example>\r\n\r\n",
            "From: <ann@h\xf6me.example>\r\n\r\n".encode(),
        ):
            before = entry(data)
            self.assertIs(before, await signer.signed(before))
        off = Signer(self.keys, REACTOR, signs=False)
        before = entry(LETTER % 1)
        self.assertIs(before, await off.signed(before))

    async def test_many_at_once(self) -> None:
        """Fifty at once have fifty signatures of their own."""
        signer = await self.start()
        letters = [LETTER % number for number in range(50)]
        made = await gatherResults(
            [Deferred.fromCoroutine(signer.signed(entry(one))) for one in letters]
        )
        for one, data in zip(made, letters, strict=True):
            self.assertEqual(["pass", "pass"], self.results(one, data))

    async def test_large(self) -> None:
        """A large message is read from its file, behind its header."""
        signer = await self.start()
        data = LETTER % 7 + b"line  of text \r\n" * 100_000
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(data)
        before = evolve(entry(data), body=Body(len(data), None, path))
        made = await signer.signed(before, read_header(data[:1000]))
        self.assertEqual(["pass", "pass"], self.results(made, data))
        os.truncate(path, 5000)
        with self.assertRaises(OSError):
            await signer.signed(before, read_header(data[:1000]))

    async def test_stopped(self) -> None:
        """When we stop nothing is sent unsigned: the client comes again."""
        signer = await self.start()
        await signer.signed(entry(LETTER % 1))
        signer.stopService()
        with self.assertRaises(Closed):
            await signer.signed(entry(LETTER % 1))
        signer.startService()
