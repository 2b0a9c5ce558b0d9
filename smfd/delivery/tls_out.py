"""TLS with the servers of the world: what is published of it, and remembered."""

from typing import Any

from attrs import evolve
from twisted.application.service import MultiService

from smfd.config.schema import Config
from smfd.delivery.mta_sts import MOST, Published
from smfd.delivery.tls_tally import Tally
from smfd.delivery.tlspolicy import TLSPolicies, nobody
from smfd.net.dns import Lookup
from smfd.net.https import HTTPS
from smfd.policy.networks import networks
from smfd.store.history import Shelf
from smfd.store.history_file import HistoryFile

#: The file in the home.
FILE = "tls.db"


class TLSOut(MultiService):
    """
    Keeps what is known fresh.

    @ivar policies: how safe mail must travel.
    @ivar tally: what came of it, if anybody is to report that.
    @ivar https: asks web servers.
    @ivar resolver: looks things up.
    """

    def __init__(
        self, resolver: Lookup, https: HTTPS, tally: Tally, policies: TLSPolicies
    ) -> None:
        super().__init__()
        self.resolver = resolver
        self.https = https
        self.tally = tally
        self.policies = policies

    def hang_up(self) -> None:
        """Wait for no policy any more: we are stopping."""
        self.https.close()


def tls_out(config: Config, resolver: Lookup, reactor: Any) -> TLSOut:
    """All of it, as the settings have it."""
    settings = config.tls_out
    https = _https(config, resolver, reactor)
    known, tally = Shelf(MOST), Tally(reactor.seconds)
    reports = bool(settings.reports_from)
    policies = TLSPolicies(
        resolver,
        {site.name: site.policy for site in settings.site},
        # Nothing is hidden where nothing is asked.
        settings.dane and not config.dns.offline,
        told=tally.note if reports else nobody,
    )
    missed = tally.missed if reports else nobody
    published = Published(reactor, resolver, https, known, missed)
    if settings.mta_sts:
        policies = evolve(policies, published=published.policy)
    made = TLSOut(resolver, https, tally, policies)
    shelves = {"sts": known, "tally": tally.shelf}
    file = HistoryFile(config.home / FILE, reactor, reactor, shelves, "tls")
    for part in (file, *((published,) if settings.mta_sts else ())):
        part.setServiceParent(made)
    return made


def _https(config: Config, resolver: Lookup, reactor: Any) -> HTTPS:
    authorities = config.tls_out.authorities
    trusted = config.resolve(authorities) if authorities else None
    allowed = networks(config.relay.networks_allowed)
    return HTTPS(reactor, resolver, trusted, allowed)
