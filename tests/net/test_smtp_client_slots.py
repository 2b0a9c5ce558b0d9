"""Tests for the turns of L{smfd.net.smtp_client_open.Hops}."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.hop import NextHop
from smfd.net.smtp_client_dial import Absent
from smfd.net.smtp_client_open import Hops


def whose(host: str) -> tuple[str, int]:
    """One wants two connections, another more than there are."""
    name = host.partition(".")[2]
    return name, {"few.example": 2, "many.example": 50}.get(name, 0)


class SlotsTests(SynchronousTestCase):
    """How many connections there are at once."""

    def setUp(self) -> None:
        clock: Any = Clock()
        self.hops = Hops(clock, "us.test", connections=4, whose=whose)
        self.turns: list[Any] = []

    def taken(self, *hosts: str) -> int:
        """How many of these have a turn, each asked for five times."""
        asked = []
        for host in hosts:
            for _ in range(5):
                turns = self.hops.slots(NextHop("smtp", host, 25))
                self.turns.append(turns)
                asked.append(turns.acquire())
        return sum(d.called for d in asked)

    def test_each(self) -> None:
        """To each server as many as to any."""
        self.assertEqual(8, self.taken("a.else.example", "b.else.example"))

    def test_few(self) -> None:
        """Who wants few has few, to all of his servers together."""
        self.assertEqual(2, self.taken("a.few.example", "b.few.example"))

    def test_many(self) -> None:
        """Who could bear more has no more than anybody."""
        self.assertEqual(4, self.taken("a.many.example", "b.many.example"))


class AbsentTests(SynchronousTestCase):
    """Servers that were not there a moment ago."""

    def test_clock(self) -> None:
        """They are left alone for a moment, and not longer by a clock set back."""
        for later, why in ((59.0, "gone"), (60.0, ""), (-3600.0, "")):
            clock: Any = Clock()
            clock.advance(10_000.0)
            absent = Absent(clock, 60.0)
            absent.note("mx.example", "gone")
            clock.rightNow += later
            self.assertEqual(why, absent.why("mx.example"))
