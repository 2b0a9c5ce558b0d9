"""A message that the scanner always fails on is set aside, not tried for days."""

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.specimen import test_virus
from smfd.model.transaction import Body, Transaction
from smfd.net.clamd import CouldNotScan
from smfd.scan.poison import Poison
from smfd.scan.virus import VirusStage
from tests.scan.test_virus import message

FAULTS = (RecursionError, MemoryError, UnicodeError, KeyError, CouldNotScan)


class Allergic:
    """
    A scanner that works, but for one message.

    @ivar down: it does not work at all.
    """

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.down = False
        self.poison = message().body
        self.tried = 0

    def scan(self, body: Body) -> Deferred[str]:
        """Find the test virus, and fail on the poison."""
        self.tried += body == self.poison
        if self.down or body == self.poison:
            return fail(self.fault)
        return succeed("Eicar" if test_virus() in (body.data or b"") else "")


class PoisonTests(SynchronousTestCase):
    """Three tries, then it is held as unscanned (R14)."""

    def other(self) -> Transaction:
        """A message that nothing is wrong with."""
        return evolve(message(), body=Body(5, b"fine."))

    def symbol(self, stage: VirusStage, transaction: Transaction) -> str:
        """What is found, or the failure's name."""
        d = stage.scan(transaction).addCallbacks(
            lambda found: found[0].symbol, lambda failure: type(failure.value).__name__
        )
        said: str = self.successResultOf(d)
        return said

    def test_set_aside(self) -> None:
        """Deferred three times, then unscanned, and looked at no more."""
        for kind in FAULTS:
            scanner = Allergic(kind("no"))
            stage = VirusStage(scanner, proven=True)
            for _ in range(3):
                self.assertEqual(kind.__name__, self.symbol(stage, message()))
                self.assertEqual("VIRUS_CLEAN", self.symbol(stage, self.other()))
            self.assertEqual("VIRUS_UNSCANNED", self.symbol(stage, message()))
            self.assertEqual("VIRUS_CLEAN", self.symbol(stage, self.other()))
            self.assertEqual(3, scanner.tried)

    def test_down(self) -> None:
        """A scanner that fails on everything says nothing about a message."""
        scanner = Allergic(CouldNotScan("down"))
        stage = VirusStage(scanner, proven=True)
        scanner.down = True
        for _ in range(5):
            self.assertEqual("CouldNotScan", self.symbol(stage, self.other()))
        scanner.down = False
        self.assertEqual("VIRUS_CLEAN", self.symbol(stage, self.other()))

    def test_overdue(self) -> None:
        """One that the chain gives up waiting for counts as a try."""
        waiting: list[Deferred[str]] = []
        scanner = Allergic(KeyError("x"))
        stage = VirusStage(scanner, proven=True)
        look = scanner.scan

        def wait(body: Body) -> Deferred[str]:
            if body != scanner.poison:
                return look(body)
            waiting.append(Deferred())
            return waiting[-1]

        scanner.scan = wait  # type: ignore[method-assign]
        for _ in range(3):
            d = stage.scan(message())
            d.cancel()
            self.failureResultOf(d, CancelledError)
        self.assertEqual("VIRUS_UNSCANNED", self.symbol(stage, message()))

    def test_spooled(self) -> None:
        """One in the spool is known again by the sum that was taken there."""
        poison = Poison(tries=1)
        first = evolve(message(), body=Body(9, path="/a", crc=7))
        again = evolve(message(), body=Body(9, path="/b", crc=7))
        unknown = evolve(message(), body=Body(9, path="/c"))
        for transaction in (first, unknown):
            poison.failed(transaction)
        self.assertTrue(poison.hopeless(again))
        self.assertFalse(poison.hopeless(unknown))
        self.assertFalse(poison.hopeless(message()))

    def test_bounded(self) -> None:
        """Who sends many such messages fills a small table."""
        poison = Poison(tries=1, most=10)
        bodies = [Body(2, b"%02d" % n) for n in range(30)]
        for body in bodies:
            poison.failed(evolve(message(), body=body))
        hopeless = [poison.hopeless(evolve(message(), body=body)) for body in bodies]
        self.assertEqual([False] * 20 + [True] * 10, hopeless)
