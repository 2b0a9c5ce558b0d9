"""
The door of one role, as Twisted sees it.

Standards: RFC 5321, RFC 3207.
"""

from collections.abc import Callable

from attrs import evolve
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import ServerFactory

from smfd.interfaces import IDoor
from smfd.proto.extension import Offer
from smfd.proto.limits import Budget, Limits
from smfd.proto.server import ServerMachine
from smfd.smtpd.connections import Connections
from smfd.smtpd.deadline import Deadlines
from smfd.smtpd.parting import LINGER
from smfd.smtpd.post import Post
from smfd.smtpd.protocol import SMTPProtocol
from smfd.smtpd.stress import Stress, StressLimits

__all__ = ["Budget", "Limits", "Offer", "SMTPFactory", "StressLimits"]


class SMTPFactory(ServerFactory):
    """
    Makes a connection's protocol for everybody who comes.

    @ivar connections: those that are open now.
    @ivar stress: whether they are too many.
    """

    noisy = False

    def __init__(
        self,
        door: IDoor,
        *,
        clock: IReactorTime,
        ids: Callable[[], str],
        limits: Limits | None = None,
        offer: Offer | None = None,
        tls: IOpenSSLServerConnectionCreator | None = None,
        budget: Budget | None = None,
        stress: StressLimits | None = None,
        machine: type[ServerMachine] = ServerMachine,
    ) -> None:
        """
        @param ids: makes the ids of sessions and of envelopes.
        @param tls: what STARTTLS starts; without it, it is not offered.
        @param budget: shared with other factories; else one of its own, of
            C{limits.memory} octets.
        @param stress: what changes near the limits.
        @param machine: the protocol that is spoken: SMTP, or LMTP.
        """
        limits = limits or Limits()
        self.connections = Connections(clock)
        budget = budget or Budget(limits.memory)
        stress = stress or StressLimits()
        deadlines = Deadlines(clock, min(_nearest(limits), stress.timeout))
        self.stress = Stress(self.connections, budget, limits, stress, deadlines.hurry)
        self.post = Post(
            door=door,
            limits=limits,
            offer=evolve(offer or Offer(), starttls=tls is not None),
            clock=clock,
            ids=ids,
            tls=tls,
            budget=budget,
            connections=self.connections,
            deadlines=deadlines,
            stress=self.stress,
            machine=machine,
        )

    def buildProtocol(self, addr: IAddress | None) -> SMTPProtocol:
        """One for each connection."""
        return SMTPProtocol(self.post)


def _nearest(limits: Limits) -> float:
    """Seconds; no deadline is nearer than this when it is set."""
    return min(
        limits.command_timeout,
        limits.data_timeout,
        limits.message_timeout,
        limits.handshake_timeout,
        LINGER,
    )
