"""The gate that judges a connection's source."""

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from smfd.config.source import Source
from smfd.interfaces import IGate, IStage, IVisit
from smfd.model.session import Session
from smfd.policy.networks import Networks, network_of, networks, within
from smfd.policy.source import Rule
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
    exempt: Networks = ()

    def visit(self, session: Session) -> IVisit | None:
        """Judge it, unless it is exempt."""
        client = session.client
        # A UNIX socket has no address.
        if not client or within(client, self.exempt):
            return None
        inquiry = Inquiry(client, network_of(client), self.budget)
        return SourceVisit(self.terms, inquiry)


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
    return SourceGate(terms, settings.budget, networks(settings.exempt))
