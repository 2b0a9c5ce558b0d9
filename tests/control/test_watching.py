"""Tests for L{smfd.control.selftest}, L{smfd.control.pulse}, and housekeeping."""

import time
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.control import audit, domains
from smfd.control.house import Document
from smfd.control.housekeeping import ROUND, Housekeeping
from smfd.control.pulse import BEAT, Pulse
from smfd.control.release import release
from smfd.control.selftest import HOUR, MINUTE, SelfTest
from smfd.control.status import status
from smfd.model.directory import Refused
from tests.control.building import OPERATOR, HouseTestCase, reactor


class Scanner:
    """A scanner whose answers the test gives."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.asked = 0

    def self_test(self) -> Deferred[bool]:
        """The next answer."""
        self.asked += 1
        answer = self.answers.pop(0)
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)


class SelfTestTests(SynchronousTestCase):
    """A scanner that finds nothing says so nowhere; so it is asked."""

    def setUp(self) -> None:
        self.clock, self.scanner = Clock(), Scanner()
        self.test = SelfTest(self.scanner, self.clock)

    def test_passes(self) -> None:
        """At the start, and again in an hour."""
        self.scanner.answers = [True, False]
        self.test.startService()
        self.assertIsNone(self.test.passed)
        self.clock.advance(0)
        self.assertIs(True, self.test.passed)
        self.clock.advance(HOUR - 1)
        self.assertEqual(1, self.scanner.asked)
        self.clock.advance(1)
        self.assertIs(False, self.test.passed)

    def test_mended(self) -> None:
        """One that failed, or broke, is asked again in a minute."""
        self.scanner.answers = [False, OSError("no clamd"), True]
        self.test.startService()
        self.clock.advance(0)
        self.assertIs(False, self.test.passed)
        self.clock.advance(MINUTE)
        self.assertIs(False, self.test.passed)
        self.clock.advance(MINUTE)
        self.assertIs(True, self.test.passed)

    def test_stopped(self) -> None:
        """Nothing is asked after the end, nor does a late answer begin anew."""
        self.scanner.answers = [True]
        self.test.startService()
        self.clock.advance(0)
        self.test.stopService()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.test._tested(False)
        self.assertEqual([], self.clock.getDelayedCalls())


class StatusTests(HouseTestCase):
    """What status makes of it."""

    async def test_warning(self) -> None:
        """A scanner that is blind is a loud warning."""
        house = await self.build()
        test = SelfTest(Scanner(), Clock())
        self.assertEqual("none", (await status(house, OPERATOR))["virus_test"])
        house = evolve(house, self_test=test)
        for passed, word in ((None, "none yet"), (True, "passed"), (False, "failed")):
            test.passed = passed
            document = await status(house, OPERATOR)
            self.assertEqual(word, document["virus_test"])
            blind = "does not find the test virus" in " ".join(document["warnings"])
            self.assertEqual(passed is False, blind)


class AuditTests(HouseTestCase):
    """One list of who did what, wherever it is written down."""

    async def test_both(self) -> None:
        """Acts on messages stand among those on the directory, newest first."""
        house = await self.build()
        await domains.add(house, OPERATOR, name="new.example")
        name = await self.receive()
        await release(house, OPERATOR, id=f"{name}-1")
        await domains.remove(house, OPERATOR, name="new.example")
        page = await audit.page(house, OPERATOR, by=OPERATOR.name)
        names = [act["act"] for act in page["items"]]
        self.assertEqual(["domain remove", "release", "domain add"], names)
        second = await audit.page(house, OPERATOR, by=OPERATOR.name, limit=1, offset=1)
        self.assertEqual((["release"], 3), _acts(second))
        self.assertEqual(([], 0), _acts(await audit.page(house, OPERATOR, by="no")))
        early = await audit.page(house, OPERATOR, until="2020-01-01")
        self.assertEqual(([], 0), _acts(early))
        one = await audit.page(house, OPERATOR, subject=f"{name}-1")
        self.assertEqual((["release"], 1), _acts(one))

    async def test_far(self) -> None:
        """Whoever looks back further than a list goes is told how."""
        house = await self.build()
        with self.assertRaises(Refused) as caught:
            await audit.page(house, OPERATOR, limit=1, offset=1000)
        self.assertIn("until", caught.exception.remedy)


def _acts(page: Document) -> tuple[list[str], int]:
    return [act["act"] for act in page["items"]], page["total"]


class PulseTests(SynchronousTestCase):
    """The longest time that the reactor was busy with one thing."""

    def test_stall(self) -> None:
        """A beat that comes late is noted until it is asked for."""
        clock = Clock()
        pulse = Pulse(clock)
        pulse.startService()
        time.sleep(BEAT * 2)
        clock.advance(BEAT)
        self.assertGreaterEqual(pulse.worst, BEAT * 0.9)
        worst = pulse.worst
        self.assertEqual(worst, pulse.reset())
        self.assertEqual(0.0, pulse.worst)
        self.assertEqual(1, len(clock.getDelayedCalls()))
        pulse.stopService()
        self.assertEqual([], clock.getDelayedCalls())

    def test_worst(self) -> None:
        """A beat in time changes nothing."""
        clock = Clock()
        pulse = Pulse(clock)
        pulse.worst = 5.0
        pulse.startService()
        clock.advance(BEAT)
        self.assertEqual(5.0, pulse.worst)
        pulse.stopService()


class HousekeepingTests(HouseTestCase):
    """What is old goes."""

    async def test_retention(self) -> None:
        """Held mail, records and their files go when they are old, not before."""
        house = await self.build()
        await self.receive(to=("ann@home.example",))
        await self.receive("maildir", "clean")
        clock = Clock()
        clock.advance(reactor.seconds())
        keeping = Housekeeping(self.retention, house.search, clock, 30)
        clock.advance(29 * 86_400)
        await keeping.round()
        counts = await house.reader.counts()
        self.assertEqual((1, 2), (counts["held"], counts["records"]))
        self.assertEqual(1, len(self.kept()))
        clock.advance(2 * 86_400)
        await keeping.round()
        counts = await house.reader.counts()
        self.assertEqual((0, 0), (counts["held"], counts["records"]))
        self.assertEqual([], [p for p in self.kept() if p.exists()])
        # What lies in a mailbox is its owner's.
        self.assertEqual(1, len(self.inbox()))

    async def test_rounds(self) -> None:
        """A round an hour; one that fails is logged and the next one comes."""
        house = await self.build()
        clock = Clock()
        rounds: list[float] = []

        class Broken:
            """A ledger that is not there."""

            def prune(self, before: float) -> Deferred[int]:
                """Fail."""
                rounds.append(before)
                return fail(OSError("gone"))

        broken: Any = Broken()
        keeping = Housekeeping(broken, house.search, clock, 1)
        keeping.startService()
        self.assertEqual([], rounds)
        clock.pump([ROUND, ROUND])
        self.assertEqual([ROUND - 86_400, 2 * ROUND - 86_400], rounds)
        self.assertEqual(2, len(self.flushLoggedErrors(OSError)))
        keeping.stopService()
        self.assertEqual([], clock.getDelayedCalls())
