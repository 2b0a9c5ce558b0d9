"""Does the virus scanner find a virus?  Asked at the start and ever after."""

from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

#: Seconds to the next test after one that passed.
HOUR = 3600.0
#: Seconds to the next one after one that failed: it may have been mended.
MINUTE = 60.0


class Testable(Protocol):
    """Who can be tested."""

    def self_test(self) -> "Deferred[bool]":
        """Whether the test virus is found and a clean message is not."""


class SelfTest(Service):
    """
    Has the scanner scan the test virus, now and then.

    @ivar passed: what came of it last; None before the first time.
    """

    _log = Logger()

    def __init__(self, scanner: Testable, clock: IReactorTime) -> None:
        self.passed: bool | None = None
        self._scanner = scanner
        self._clock = clock
        self._due: IDelayedCall | None = None

    def startService(self) -> None:
        """The first test is right after the start."""
        super().startService()
        self._due = self._clock.callLater(0, self._test)

    def stopService(self) -> None:
        """No more tests."""
        super().stopService()
        due, self._due = self._due, None
        if due is not None:
            due.cancel()

    def _test(self) -> None:
        self._due = None
        d = maybeDeferred(self._scanner.self_test)
        d.addErrback(self._broke).addCallback(self._tested)

    def _broke(self, failure: Failure) -> bool:
        self._log.warn("the self-test broke: {why}", why=failure.getErrorMessage())
        return False

    def _tested(self, passed: bool) -> None:
        if not self.running:
            return
        if passed is not self.passed:
            self._say(passed)
        self.passed = passed
        self._due = self._clock.callLater(HOUR if passed else MINUTE, self._test)

    def _say(self, passed: bool) -> None:
        if passed:
            self._log.info("the virus scanner finds the test virus")
        else:
            self._log.critical(
                "the virus scanner does not find the test virus: mail is deferred"
                " until it does"
            )
