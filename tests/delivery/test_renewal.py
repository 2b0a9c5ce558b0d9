"""Tests for L{smfd.delivery.renewal}: what was held is proven anew."""

from typing import Any

from attrs import evolve

from smfd.content import arc, signatures
from smfd.delivery.renewal import Renewal
from smfd.delivery.signer import Signer
from smfd.format.header import read_header
from smfd.model.dkim import ACTIVE, SPARE
from smfd.model.entry import Entry, Recipient
from smfd.model.transaction import Body
from smfd.store.directory_dkim import DKIMKeys
from tests.delivery.test_signer import entry
from tests.store.making import REACTOR
from tests.store.test_directory import DirectoryTestCase
from tests.store.test_directory_dkim import HOME, PAIRS

LETTER = b"From: Ann <ann@home.example>\r\nSubject: Hello\r\n\r\nHi.\r\n"
ANN = "ann@home.example"
RESULTS = "mx.home.example;\r\n\tspf=pass smtp.mailfrom=a.example"
FOUND = f"Authentication-Results: {RESULTS}\r\nReceived: by us\r\n".encode()
BY: Any = {"actor": "uid:test"}


class RenewalTestCase(DirectoryTestCase):
    """A domain with keys."""

    async def start(self) -> None:
        """Its first keys, and spare ones."""
        self.keys = DKIMKeys(await self.build())
        await self.keys.add(HOME, PAIRS[:2], **BY)
        self.signer = Signer(self.keys, REACTOR)
        self.signer.startService()
        self.addCleanup(self.signer.stopService)

    async def records(self) -> dict[str, str]:
        """What others find: no key that signs no more."""
        keys = await self.keys.keys(HOME)
        return {key.name: key.record for key in keys if key.state == ACTIVE}

    async def rotate(self) -> None:
        """Other keys sign from now on."""
        spare = [key for key in await self.keys.keys(HOME) if key.state == SPARE]
        await self.keys.rotate(HOME, spare, PAIRS[2], **BY)

    def kept(self, made: Entry) -> bytes:
        """It as it lies in the quarantine."""
        assert made.body.data is not None
        kept, at = [made.top], 0
        for start, end in made.cuts:
            kept.append(made.body.data[at:start])
            at = end
        return b"".join([*kept, made.body.data[at:]])

    async def renewed(self, data: bytes, entry: Entry) -> bytes:
        """What was kept, as it leaves."""
        entry = evolve(entry, top=b"", cuts=(), body=Body(len(data), data))
        return self.kept(await Renewal(self.signer, read_header(data)).of(entry))


class SignedTests(RenewalTestCase):
    """What our users wrote."""

    async def test_rotated(self) -> None:
        """It is signed with today's keys alone, however often it was held."""
        await self.start()
        own = evolve(entry(LETTER), account=ANN)
        data = self.kept(await self.signer.signed(own))
        for _ in range(2):
            await self.rotate()
            records = await self.records()
            found = signatures.verify(data, {"keys": records})
            self.assertNotIn("pass", [one["result"] for one in found])
            data = await self.renewed(data, own)
            found = signatures.verify(data, {"keys": records})
            self.assertEqual(["pass", "pass"], [one["result"] for one in found])
        self.assertTrue(data.endswith(b"\r\nReceived: x\r\n" + LETTER))

    async def test_theirs(self) -> None:
        """What the user's own program signed stays."""
        await self.start()
        theirs = b"DKIM-Signature: v=1; d=other.example; b=x\r\n" + LETTER
        own = evolve(entry(theirs), account=ANN)
        data = self.kept(await self.signer.signed(own))
        data = await self.renewed(data, own)
        self.assertTrue(data.endswith(b"\r\nReceived: x\r\n" + theirs))
        self.assertEqual(3, data.count(b"DKIM-Signature:"))

    async def test_unsigned(self) -> None:
        """Where nothing is signed any more the old signature is all there is."""
        await self.start()
        own = evolve(entry(LETTER), account=ANN)
        data = self.kept(await self.signer.signed(own))
        self.signer.signs = False
        self.assertEqual(data, await self.renewed(data, own))

    async def test_stays(self) -> None:
        """For a mailbox here it is left as it was."""
        await self.start()
        own = evolve(entry(LETTER), account=ANN)
        data = self.kept(await self.signer.signed(own))
        own = evolve(entry(LETTER, "maildir"), account=ANN)
        self.assertEqual(data, await self.renewed(data, own))

    async def test_not_taken(self) -> None:
        """What has no line of ours is nobody's to change."""
        await self.start()
        data = b"DKIM-Signature: v=1; d=home.example; b=x\r\n" + LETTER
        found = await self.renewed(data, evolve(entry(data), account=ANN))
        self.assertEqual(3, found.count(b"DKIM-Signature:"))


class SealedTests(RenewalTestCase):
    """What others wrote, and we forward."""

    def entry(self, data: bytes = LETTER) -> Entry:
        """On its way to where ann reads her mail."""
        to = Recipient(1, "zoe@far.example", "remote", keeper=HOME)
        return evolve(entry(data), top=FOUND, recipients=(to,))

    async def chain(self, data: bytes) -> tuple[str, list[str]]:
        """What a receiver says, and who sealed."""
        found = arc.verify(data, {"keys": await self.records()})
        return found["result"], found["domains"]

    async def test_sealed(self) -> None:
        """It has one seal, of today, and it says what was found when it came."""
        await self.start()
        data = self.kept(self.entry())
        for _ in range(2):
            data = await self.renewed(data, self.entry())
            self.assertEqual(("pass", [HOME]), await self.chain(data))
            said = f"\r\nARC-Authentication-Results: i=1; {RESULTS}\r\n"
            self.assertIn(said.encode(), data)
            self.assertTrue(data.endswith(FOUND + LETTER))
            await self.rotate()
            self.assertEqual("fail", (await self.chain(data))[0])

    async def test_not_signed(self) -> None:
        """Nobody's forgery of ann is signed because it was held here."""
        await self.start()
        data = await self.renewed(self.kept(self.entry()), self.entry())
        self.assertNotIn(b"DKIM-Signature:", data)

    async def test_chain(self) -> None:
        """A chain of others is gone on with where it was found good."""
        await self.start()
        sealed = await self.signer.sealed(self.entry(), read_header(LETTER), RESULTS)
        before = self.kept(sealed)
        data = self.kept(self.entry(before))
        self.assertEqual(data, await self.renewed(data, self.entry()))
        good = data.replace(b"\tspf=pass", b"\tarc=pass;\r\n\tspf=pass", 1)
        found = await self.renewed(good, self.entry())
        self.assertEqual(("pass", [HOME, HOME]), await self.chain(found))

    async def test_unfounded(self) -> None:
        """Where it is not known what was found nothing is sealed."""
        await self.start()
        data = b"Received: by us\r\nAuthentication-Results: forged\r\n" + LETTER
        self.assertEqual(data, await self.renewed(data, self.entry()))
