"""Tests of the back door: each recipient has an answer of his own."""

from collections.abc import Sequence

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smfd.interfaces import IIncoming, IStage
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Listed, Result
from smfd.model.transaction import Transaction
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.proto.reply import Replies, Reply
from smfd.smtpd.answers import each, merged
from tests.sample import come
from tests.smtpd.fronts import ANN, BOB, LETTER, SENDER, FrontTestCase, address


@implementer(IStage)
class HalfBroken:
    """Lists that know of Ann, and cannot be asked about anybody else."""

    name = "lists"

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """Block for Ann; fail for the others."""
        blocked = Listed(
            "lists", "LISTED", Result.FAIL, reason="blocked", recipient=ANN
        )
        return succeed([blocked, Finding("lists", "LISTS_BROKEN", Result.ERROR)])


class DifferentTests(FrontTestCase):
    """The verdict differs."""

    async def hand_over(self, lmtp: bool, *recipients: str) -> Reply:
        """A message from a host of ours."""
        session = evolve(self.session(), lmtp=lmtp)
        forwards = tuple(Forward(address(one)) for one in recipients)
        envelope = Envelope(self.name(), SENDER, forwards)
        incoming = await come(self.door.data(session, envelope))
        assert IIncoming.providedBy(incoming)
        incoming.write(LETTER)
        body = await come(incoming.finish())
        return await come(self.door.message(session, envelope, body))

    async def test_lmtp(self) -> None:
        """By LMTP each is answered alone: Ann's is held, Bob's comes again."""
        await self.build({"lists": HalfBroken()})
        said = await self.hand_over(True, BOB, ANN)
        assert isinstance(said, Replies)
        self.assertEqual([451, 250], [one.code for one in said.each])
        self.assertTrue(said.positive)
        await self.house.settled()
        self.assertEqual([], self.house.messages())
        self.assertEqual(1, len(self.house.messages("quarantine")))
        record = await self.record(said)
        self.assertEqual(
            {ANN: "quarantine", BOB: "defer"},
            {fate["recipient"]: fate["disposition"] for fate in record["fates"]},
        )

    async def test_smtp(self) -> None:
        """By SMTP one reply answers both, so Bob's is held too."""
        await self.build({"lists": HalfBroken()})
        said = await self.hand_over(False, BOB, ANN)
        self.assertEqual((250, False), (said.code, isinstance(said, Replies)))
        record = await self.record(said)
        fates = [fate["disposition"] for fate in record["fates"]]
        self.assertEqual(["quarantine", "quarantine"], fates)
        await self.house.settled()

    async def test_all_alike(self) -> None:
        """Where nobody's is kept there is nothing but the record."""
        await self.build({"lists": HalfBroken()})
        said = await self.hand_over(True, BOB)
        self.assertEqual((451, False), (said.code, isinstance(said, Replies)))
        await self.house.settled()
        self.assertEqual([], self.house.messages("quarantine"))


class AnswersTests(SynchronousTestCase):
    """Who is answered with whom."""

    def test_alias(self) -> None:
        """Recipients who share a mailbox share its fate; who has it has it."""
        fates = (
            Fate("a@x.test", Disposition.DELIVER, "clean", ""),
            Fate("b@x.test", Disposition.REJECT, "blocked", ""),
            Fate("c@x.test", Disposition.DEFER, "deferred", ""),
        )
        groups = [("a@x.test",), ("b@x.test",), ("c@x.test",), ("gone@x.test",)]
        said = each(Verdict("mixed", 0.0, fates), Envelope("E1", SENDER), groups)
        assert isinstance(said, Replies)
        self.assertEqual([250, 550, 451, 250], [one.code for one in said.each])
        self.assertEqual(4, said.octets.count(b" id=E1\r\n"))

    @given(st.lists(st.lists(st.integers(0, 12), max_size=4), max_size=8))
    def test_merged(self, groups: list[list[int]]) -> None:
        """Merged groups have no mailbox in common, and none is lost or split."""
        names = [[str(number) for number in group] for group in groups]
        whole = merged(names)
        found = [name for group in whole for name in group]
        self.assertEqual(sorted(set(found)), sorted(found))
        self.assertEqual({name for group in names for name in group}, set(found))
        for group in names:
            if group:
                self.assertEqual(1, sum(set(group) <= one for one in whole))
