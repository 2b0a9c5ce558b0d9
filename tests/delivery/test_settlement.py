"""Tests of smfd.delivery.settlement."""

from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.settlement import Settlement
from smfd.model.entry import Outcome, State
from smfd.store.ledger import LedgerTrouble

DONE = Outcome("01m", 1, State.DELIVERED, "250 ok")


@define
class Sick:
    """
    A ledger that answers when it is told to.

    @ivar asked: what it was asked to note, in order.
    """

    asked: list[Sequence[Outcome]] = field(factory=list)
    answers: list[Deferred[None]] = field(factory=list)

    def settle(self, outcomes: Sequence[Outcome]) -> "Deferred[None]":
        """As the ledger does."""
        self.asked.append(outcomes)
        self.answers.append(Deferred())
        return self.answers[-1]

    def fail(self) -> None:
        """It could not note the last."""
        self.answers[-1].errback(LedgerTrouble("no room"))


class SettlementTests(SynchronousTestCase):
    """The ledger is down for a while."""

    def setUp(self) -> None:
        self.clock, self.ledger = Clock(), Sick()
        ledger: Any = self.ledger
        self.settlement = Settlement(ledger, self.clock)
        self.noted = self.settlement.settle([DONE])

    def test_again(self) -> None:
        """What was done is noted as soon as it can be: once a second it is tried."""
        for failed in range(1, 4):
            self.ledger.fail()
            self.assertEqual(failed, len(self.ledger.asked))
            self.clock.advance(1)
        self.assertNoResult(self.noted)
        self.ledger.answers[-1].callback(None)
        self.assertIs(True, self.successResultOf(self.noted))
        self.assertEqual([[DONE]] * 4, self.ledger.asked)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop(self) -> None:
        """Who stops waits for what is being noted, and asks no more after it."""
        ended = Deferred.fromCoroutine(self.settlement.ended())
        self.settlement.stop()
        self.assertNoResult(ended)
        self.ledger.fail()
        self.assertIs(False, self.successResultOf(self.noted))
        self.successResultOf(ended)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop_between(self) -> None:
        """It is stopped while it waits to ask again, too."""
        self.ledger.fail()
        self.settlement.stop()
        self.assertIs(False, self.successResultOf(self.noted))
        self.successResultOf(Deferred.fromCoroutine(self.settlement.ended()))
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(1, len(self.ledger.asked))
