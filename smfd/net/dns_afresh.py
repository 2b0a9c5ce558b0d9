"""
Look-ups for people who ask what is in the DNS now.

Whoever is told that a record is missing publishes it and looks again.  What we
remember would tell him for minutes that it is still missing.
"""

from attrs import frozen
from twisted.internet.defer import Deferred

from smfd.net.dns import Resolver
from smfd.net.dns_answer import Answer


@frozen
class Afresh:
    """A resolver that remembers nothing of before; the house shares the answers."""

    _resolver: Resolver

    def known(self, name: str, rdtype: str) -> Answer | None:
        """Nothing is known without asking."""
        return None

    def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
        """As L{Resolver.lookup}, whatever was asked before."""
        self._resolver.forget(name, rdtype)
        return self._resolver.lookup(name, rdtype)
