"""TLS with the servers of the world: what is published of it, and remembered."""

from typing import Any

from twisted.application.service import MultiService

from smfd.config.schema import Config
from smfd.delivery.mta_sts import MOST, Published
from smfd.delivery.tlspolicy import TLSPolicies
from smfd.net.dns import Lookup
from smfd.net.https import HTTPS
from smfd.policy.networks import networks
from smfd.store.history import Shelf
from smfd.store.history_file import HistoryFile

#: The file in the home.
FILE = "tls.db"


class TLSOut(MultiService):
    """
    Keeps the policies fresh.

    @ivar policies: how safe mail must travel.
    """

    policies: TLSPolicies


def tls_out(config: Config, resolver: Lookup, reactor: Any) -> TLSOut:
    """All of it, as the settings have it."""
    made, settings = TLSOut(), config.tls_out
    overrides = {site.name: site.policy for site in settings.site}
    shelf = Shelf(MOST)
    file = HistoryFile(config.home / FILE, reactor, reactor, {"sts": shelf}, "tls")
    file.setServiceParent(made)
    made.policies = TLSPolicies(resolver, overrides, settings.dane)
    if settings.mta_sts:
        https = _https(config, resolver, reactor)
        published = Published(reactor, resolver, https, shelf)
        published.setServiceParent(made)
        made.policies = TLSPolicies(
            resolver, overrides, settings.dane, published.policy
        )
    return made


def _https(config: Config, resolver: Lookup, reactor: Any) -> HTTPS:
    authorities = config.tls_out.authorities
    trusted = config.resolve(authorities) if authorities else None
    allowed = networks(config.relay.networks_allowed)
    return HTTPS(reactor, resolver, trusted, allowed)
