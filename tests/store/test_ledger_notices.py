"""The ledger knows what senders have still to be told, until they are."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.model.entry import Asked, Entry, Outcome, Recipient, State
from smfd.model.notice import Notice
from smfd.model.queue import SiteState
from smfd.model.transaction import Body
from smfd.store.ledger import Ledger
from smfd.store.ledger_notices import LARGEST_HEADER, _header, _rest
from smfd.store.queue import Queue
from tests.store.making import REACTOR, TOP, mailbox, make_entry, remote

ASKED = Asked("HDRS", "QQ+2B1", "8BITMIME", True, True)
BODY = b"Subject: Hi\r\nX-Evil: 1\r\nTo: all\r\n\r\nSecret.\r\n"
CUT = (BODY.index(b"X-Evil"), BODY.index(b"To:"))


class NoticesCase(TestCase):
    """A ledger and somebody who writes to the world."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.ledger = Ledger(self.home, REACTOR, REACTOR, patience=0.005)
        self.ledger.startService()
        self.addCleanup(lambda: self.ledger.stopService())

    async def send(
        self, recipients: Sequence[Recipient], body: Body | bytes = BODY
    ) -> Entry:
        """A message that is ours now."""
        entry = make_entry(body, recipients, (CUT,))
        entry = evolve(entry, account="u@d.example", asked=ASKED)
        await self.ledger.commit(entry)
        return entry

    async def ended(self, entry: Entry, state: State) -> None:
        """All its recipients end in a state."""
        outcomes = [c.outcome(state, "its words") for c in entry.consignments()]
        await self.ledger.settle(outcomes)

    def kept(self) -> list[str]:
        """Entries whose bodies are still there."""
        connection = sqlite3.connect(self.home / "ledger.db")
        try:
            return [i for (i,) in connection.execute("SELECT id FROM entries")]
        finally:
            connection.close()

    async def only(self) -> Notice:
        """The one notice there is."""
        (notice,) = await self.ledger.notices()
        return notice


class TellingTests(NoticesCase):
    """Which ends of a message are worth a word."""

    async def test_failed(self) -> None:
        """What fails for ever has all that a bounce needs, once."""
        to = remote(1, notify="FAILURE,DELAY", orcpt="rfc822;w@far.example")
        entry = await self.send([to])
        called: list[int] = []
        self.ledger.noticed = lambda: called.append(1)
        await self.ended(entry, State.FAILED)
        await self.ended(entry, State.FAILED)
        notice = await self.only()
        self.assertEqual(
            (entry.id, entry.received, entry.sender, "u@d.example", ASKED),
            (
                notice.entry_id,
                notice.received,
                notice.sender,
                notice.account,
                notice.asked,
            ),
        )
        self.assertEqual(TOP + b"Subject: Hi\r\nTo: all\r\n", notice.header)
        (told,) = notice.told
        self.assertEqual(
            ("v@far.example", "failed", "its words", to.notify, to.orcpt, "remote"),
            (
                told.address,
                told.kind,
                told.detail,
                told.notify,
                told.orcpt,
                told.destination,
            ),
        )
        self.assertEqual([1, 1], called)

    async def test_who_hears(self) -> None:
        """RFC 3461: a failure by default, success only when asked, NEVER nothing."""
        entry = await self.send(
            [
                remote(1),
                remote(2, notify="NEVER"),
                remote(3, notify="SUCCESS"),
                remote(4, notify="SUCCESS,FAILURE"),
                Recipient(5, "b@backup.example", "relay"),
                evolve(mailbox(6), notify="SUCCESS"),
            ]
        )
        await self.ended(entry, State.FAILED)
        numbers = [told.number for told in (await self.only()).told]
        self.assertEqual([1, 4, 5], numbers)

    async def test_trying(self) -> None:
        """Others are just tried, unless nobody can be where they go."""
        queue = Queue(self.ledger)
        to = [remote(1, "v@far.example"), remote(2, "w@b.example")]
        entry = await self.send(to)
        one, _ = entry.consignments()
        await self.ledger.settle([one.outcome(State.FAILED, "its words")])
        self.assertTrue((await self.only()).trying)
        later = REACTOR.seconds() + 300
        await queue.note(SiteState("b.example", next_try=later, attempts=1))
        self.assertFalse((await self.only()).trying)
        await queue.note(SiteState("b.example"))
        self.assertTrue((await self.only()).trying)
        for name in "b.example", "*":
            await queue.hold_sites([name], True)
            self.assertFalse((await self.only()).trying)
            await queue.hold_sites([name], False)
            self.assertTrue((await self.only()).trying)

    async def test_stranger(self) -> None:
        """Of what fails on the way to a server of ours no stranger hears."""
        entry = await self.send([Recipient(1, "b@backup.example", "relay")])
        await self.ended(evolve(entry, account=""), State.FAILED)
        self.assertEqual([], await self.ledger.notices())

    async def test_arrived(self) -> None:
        """Success is told apart: in a mailbox of ours, or handed on."""
        entry = await self.send(
            [
                remote(1),
                remote(2, notify="SUCCESS"),
                evolve(mailbox(3), notify="SUCCESS,DELAY"),
            ]
        )
        await self.ended(entry, State.DELIVERED)
        kinds = [(told.number, told.kind) for told in (await self.only()).told]
        self.assertEqual([(2, "relayed"), (3, "delivered")], kinds)

    async def test_nobody_to_tell(self) -> None:
        """A message from nobody, a bounce, makes no bounce (RFC 5321 §6.1)."""
        entry = evolve(make_entry(recipients=[remote(1, notify="FAILURE")]), sender="")
        await self.ledger.commit(entry)
        await self.ended(entry, State.FAILED)
        self.assertEqual([], await self.ledger.notices())

    async def test_settled_before(self) -> None:
        """Who has his message already is not said to have failed."""
        entry = await self.send([remote(1), remote(2)])
        await self.ledger.settle([Outcome(entry.id, 1, State.DELIVERED)])
        await self.ended(entry, State.FAILED)
        self.assertEqual([2], [told.number for told in (await self.only()).told])


class AnsweringTests(NoticesCase):
    """A notice stays until its answer is ours, and no longer."""

    async def test_with_the_answer(self) -> None:
        """The bounce and the end of its notice are one commit, however often."""
        entry = await self.send([remote(1), remote(2)])
        await self.ended(entry, State.FAILED)
        notice = await self.only()
        self.assertEqual(1, len(self.kept()))
        bounce = make_entry()
        await self.ledger.commit(bounce, answers=notice.keys)
        self.assertEqual([], await self.ledger.notices())
        self.assertEqual([bounce.id], self.kept())

    async def test_nobody_hears(self) -> None:
        """What is not to be said is forgotten; a large body goes with it."""
        path = self.home / "large"
        path.write_bytes(BODY)
        freed: list[str] = []
        self.ledger.freed = freed.extend
        entry = await self.send([remote(1)], Body(len(BODY), path=str(path), crc=1))
        await self.ended(entry, State.FAILED)
        notice = await self.only()
        self.assertIn(b"Subject: Hi\r\n", notice.header)
        self.assertEqual([], freed)
        await self.ledger.unanswered(notice.keys)
        self.assertEqual([str(path.absolute())], freed)
        self.assertEqual([], self.kept())

    async def test_body_lost(self) -> None:
        """Of whose body the file is gone the sender is told without it."""
        path = self.home / "never there"
        body = Body(10, path=str(path), crc=1)
        entry = await self.send([remote(1)], body)
        await self.ended(entry, State.FAILED)
        self.assertEqual(TOP, (await self.only()).header)

    async def test_pages(self) -> None:
        """Notices are read in pages of whole messages, the oldest first."""
        sent = []
        for n in range(5):
            entry = make_entry(recipients=[remote(1), remote(2)], when=1e9 + n)
            await self.ledger.commit(entry)
            await self.ended(entry, State.FAILED)
            sent.append(entry.id)
        found, after = list[str](), ""
        while page := await self.ledger.notices(2, after):
            self.assertTrue(all(len(notice.told) == 2 for notice in page))
            found += [notice.entry_id for notice in page]
            after = found[-1]
        self.assertEqual(sent, found)


class HeaderTests(SynchronousTestCase):
    """The header of a returned message."""

    @given(st.binary(max_size=200), st.integers(0, 90), st.integers(0, 90))
    def test_any(self, start: bytes, cut: int, width: int) -> None:
        """Whatever was sent, it is whole lines and none of the body."""
        cuts = ((cut, cut + width),) if width else ()
        header = _header(b"Top: 1\r\n", start, cuts)
        self.assertTrue(header.startswith(b"Top: 1\r\n"))
        if not width:
            self.assertTrue(header.endswith(b"\r\n"))
            self.assertNotIn(b"\r\n\r\n", header)

    def test_rest(self) -> None:
        """The rest of a message is all of it, or nothing."""
        for start, rest in (
            (b"A: b\r\n\r\nHi.\r\n\r\nHo.\r\n", b"Hi.\r\n\r\nHo.\r\n"),
            (b"A: b\r\n\r\n", b""),
            (b"\r\nHi.\r\n", b"Hi.\r\n"),
            (b"A: b\r\n", None),
            (b"", None),
            (b"A: b\r\n\r\n" + b"x" * LARGEST_HEADER, None),
        ):
            self.assertEqual(rest, _rest(start), start[:20])

    def test_endless(self) -> None:
        """A header without an end is cut off at a line's end."""
        lines = b"X-Long: " + b"y" * 80 + b"\r\n"
        start = (lines * 1000)[:LARGEST_HEADER]
        header = _header(TOP, start, ())
        self.assertTrue(header.endswith(lines))
        self.assertLessEqual(len(header), LARGEST_HEADER)

    def test_none(self) -> None:
        """A message may have no header at all."""
        self.assertEqual(TOP, _header(TOP, b"\r\nText\r\n\r\n", ()))
