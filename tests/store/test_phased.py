"""Tests for L{smfd.store.phased}."""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smfd.store.phased import Phased


class Named(Service):
    """Ends when the test says so."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name = self.word = name
        self.said = said
        self.end: Deferred[None] = Deferred()

    def startService(self) -> None:
        """Say so."""
        super().startService()
        self.said.append(self.word)

    def stopService(self) -> Deferred[None]:
        """Say so."""
        super().stopService()
        self.said.append(self.word)
        return self.end


class PhasedTests(SynchronousTestCase):
    """Who needs whom, at the end."""

    def test_order(self) -> None:
        """The door first, then all who work, then those who keep, one by one."""
        said: list[str] = []
        named: dict[str, Any] = {name: Named(name, said) for name in "abcdef"}
        last = named["a"], named["c"]
        phased = Phased(named.values(), named["e"], last)
        phased.startService()
        self.assertEqual(list("abcdef"), said)
        said.clear()
        over = phased.stopService()
        self.assertFalse(phased.running)
        for name, then in (("e", "efdb"), ("f", "efdb"), ("b", "efdb")):
            named[name].end.callback(None)
            self.assertEqual(then, "".join(said))
        named["d"].end.errback(OSError("no disk"))
        self.assertEqual("efdbc", "".join(said))
        named["c"].end.errback(OSError("no disk"))
        self.assertEqual("efdbca", "".join(said))
        self.assertNoResult(over)
        named["a"].end.callback(None)
        self.successResultOf(over)
        self.assertEqual(2, len(self.flushLoggedErrors(OSError)))
