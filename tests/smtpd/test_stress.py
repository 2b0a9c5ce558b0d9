"""Tests for L{smfd.smtpd.stress} and L{smfd.smtpd.pace}."""

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.limits import Budget, Limits
from smfd.smtpd.connections import Connections
from smfd.smtpd.deadline import Deadlines
from smfd.smtpd.pace import Pace
from smfd.smtpd.stress import Stress, StressLimits
from tests.smtpd.test_connections import Caller

LIMITS = Limits(data_rate=100, data_grace=60.0)


class StressTests(SynchronousTestCase):
    """Near the limits the slow make room."""

    def setUp(self) -> None:
        """Room for ten connections and a hundred octets."""
        self.clock = Clock()
        self.connections = Connections(self.clock)
        self.budget = Budget(100)
        self.deadlines = Deadlines(self.clock, 10.0)
        self.stress = self.make(StressLimits(capacity=10))

    def make(self, when: StressLimits) -> Stress:
        """As the settings have it."""
        return Stress(self.connections, self.budget, LIMITS, when, self.deadlines.hurry)

    def limits(self) -> Limits:
        """What a client has, once somebody came or went."""
        self.stress.look()
        return self.stress.limits

    def fill(self, count: int) -> list[Caller]:
        """So many come."""
        callers = [Caller() for _ in range(count)]
        for caller in callers:
            self.connections.add(caller)
        return callers

    def test_connections(self) -> None:
        """At 80 % of the connections it is usual, at 81 % there is no time."""
        callers = self.fill(8)
        self.assertEqual(LIMITS, self.limits())
        callers += self.fill(1)
        limits = self.limits()
        self.assertEqual((10.0, 10.0), (limits.command_timeout, limits.data_timeout))
        self.assertEqual((1, 10.0), (limits.errors, limits.data_grace))
        # It does not go on and off with each good-bye.
        self.connections.remove(callers.pop())
        self.assertIsNot(LIMITS, self.limits())
        self.connections.remove(callers.pop())
        self.assertIs(LIMITS, self.limits())
        self.assertEqual(1, self.stress.times)

    def test_memory(self) -> None:
        """The memory for messages counts like connections."""
        self.budget.take(80)
        self.assertIs(LIMITS, self.limits())
        self.budget.take(1)
        self.assertEqual(10.0, self.limits().command_timeout)
        self.budget.give_back(60)
        self.assertIs(LIMITS, self.limits())

    def test_told(self) -> None:
        """It can be had always, and never."""
        self.stress = self.make(StressLimits("always"))
        self.assertEqual(1, self.limits().errors)
        self.fill(100)
        self.stress = self.make(StressLimits("never", 10))
        self.assertIs(LIMITS, self.limits())

    def test_those_inside(self) -> None:
        """Who is connected already has no more time than who comes."""
        late: list[str] = []
        idle = self.deadlines.start(lambda: late.append("idle"))
        idle.expect(300.0)
        served = self.deadlines.start(lambda: late.append("served"))
        served.never()
        self.fill(9)
        self.stress.look()
        self.clock.pump([9.9])
        self.assertEqual([], late)
        self.clock.pump([0.2])
        self.assertEqual(["idle"], late)


class PaceTests(SynchronousTestCase):
    """No deadline is stretched by what is only begun."""

    def setUp(self) -> None:
        """A client who has a hundred octets a second to bring, after a minute."""
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, 10.0)
        self.late: list[float] = []
        self.pace = self.make(LIMITS)

    def make(self, limits: Limits) -> Pace:
        """The pace of one connection."""
        stress = Stress(
            Connections(self.clock), Budget(100), limits, StressLimits(), lambda _: None
        )
        deadline = self.deadlines.start(lambda: self.late.append(self.clock.seconds()))
        return Pace(deadline, stress)

    def trickle(self, octets: int, seconds: float, times: int) -> None:
        """So many octets at a time, until it is over."""
        for _ in range(times):
            if self.late:
                break
            self.pace.octets += octets
            self.pace.body()
            self.clock.pump([1.0] * int(seconds))

    def test_slow_body(self) -> None:
        """R50: an octet each ten seconds ends after the grace, not at half an hour."""
        self.pace.body()
        self.trickle(1, 10.0, 200)
        self.assertApproximates(61.0, self.late[0], 2)

    def test_least_rate(self) -> None:
        """Twice the least rate is enough for as long as a message may take."""
        self.pace.body()
        self.trickle(2000, 10.0, 179)
        self.assertEqual([], self.late)
        self.trickle(2000, 10.0, 10)
        self.assertEqual(1, len(self.late))
        self.assertApproximates(1800.0, self.late[0], 2)

    def test_below_the_rate(self) -> None:
        """Half the least rate is cut when the grace is used up."""
        self.pace.body()
        self.trickle(500, 10.0, 179)
        self.assertEqual(1, len(self.late))
        self.assertApproximates(115.0, self.late[0], 6)

    def test_no_rate(self) -> None:
        """Without a least rate only silence and the whole time count."""
        self.pace = self.make(evolve(LIMITS, data_rate=0))
        self.pace.body()
        self.trickle(1, 10.0, 170)
        self.assertEqual([], self.late)

    def test_our_time(self) -> None:
        """The time that the client waits for us is not his."""
        self.pace.body()
        self.pace.ours()
        self.clock.pump([10.0] * 30)
        self.assertEqual([], self.late)
        self.trickle(1, 10.0, 5)
        self.assertEqual([], self.late)
        self.trickle(1, 10.0, 5)
        self.assertEqual(1, len(self.late))

    def test_handshake(self) -> None:
        """Who never finishes a TLS handshake is cut after its time."""
        self.pace.handshake()
        self.clock.pump([10.0, 10.0, 9.9])
        self.assertEqual([], self.late)
        self.clock.pump([0.2])
        self.assertEqual(1, len(self.late))
