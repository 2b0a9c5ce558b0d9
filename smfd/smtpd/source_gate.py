"""The gate that judges a connection's source."""

from ipaddress import ip_network

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from smfd.config.source import Source
from smfd.interfaces import IGate, IStage, IVisit
from smfd.model.session import Session
from smfd.policy.source import IPNetwork, Rule, network_of, within
from smfd.scan.source_known import Sources
from smfd.smtpd.inquiry import Inquiry
from smfd.smtpd.source_visit import Past, SourceVisit, Terms


@implementer(IGate)
@frozen
class SourceGate:
    """
    Judges sources by what is known and what the DNS says.

    @ivar budget: seconds that a connection may wait for the DNS.
    @ivar exempt: networks that are not judged.
    """

    terms: Terms
    budget: float
    exempt: tuple[IPNetwork, ...] = ()

    def visit(self, session: Session) -> IVisit | None:
        """Judge it, unless it is exempt."""
        client = session.client
        if within(client, self.exempt):
            return None
        try:
            network = network_of(client)
        except ValueError:  # a UNIX socket has no address
            return None
        return SourceVisit(self.terms, Inquiry(client, network, self.budget))


def source_gate(
    settings: Source, sources: Sources, clock: IReactorTime, spf: IStage | None = None
) -> SourceGate:
    """The gate, as the settings have it."""
    early, past, grey = settings.early, settings.history, settings.greylist
    terms = Terms(
        sources,
        clock,
        Rule(early.mode, early.action, early.score),
        early.delay,
        Past(
            Rule(past.mode, "refuse"), past.slow, past.refuse, past.delay, past.network
        ),
        Rule(grey.mode),
        grey.domains,
        spf,
    )
    exempt = tuple(ip_network(text) for text in settings.exempt)
    return SourceGate(terms, settings.budget, exempt)
