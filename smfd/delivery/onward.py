"""The ways to servers that are not ours, and what all of them need."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from smfd.config.schema import Config
from smfd.delivery.relay import LIFETIME, RelayDestination
from smfd.model.entry import REMOTE
from smfd.model.hop import NextHop
from smfd.net.smtp_client import Patience
from smfd.net.smtp_client_callout import Callout
from smfd.net.smtp_client_open import Hops
from smfd.policy.route import parse_hop
from smfd.store.directory import Directory
from smfd.store.threads import Threads


class Onward(Service):
    """
    The destinations "lmtp" and "relay" for hosted domains, and "remote".

    @ivar destinations: all of them.
    """

    def __init__(
        self,
        directory: Directory,
        hops: Hops,
        reactor: Any,
        home: Path,
        lifetime: float = LIFETIME,
        routes: Mapping[str, NextHop] = {},
    ) -> None:
        """
        @param directory: knows the next hops of hosted domains.
        @param home: where what is left of damaged messages is kept.
        @param lifetime: seconds after which we give up.
        @param routes: those of other domains; C{"*"} is that of all others.
        """
        self._directory = directory
        self._hops = hops
        self._hands = Threads(reactor, "onward", most=2)
        self._routes = routes
        make = partial(
            RelayDestination,
            hops=hops,
            hands=self._hands,
            clock=reactor,
            home=home,
            lifetime=lifetime,
        )
        self.destinations = (
            make("lmtp", self._route),
            make("relay", self._route),
            make(REMOTE, self._way_out, nowhere="no [[relay.route]] leads there"),
        )

    def startService(self) -> None:
        """Threads that read what is large."""
        self._hands.start()
        super().startService()

    def stopService(self) -> "Deferred[None]":
        """Finish what is under way, within a deadline; the rest stays due."""
        super().stopService()
        self._hops.close()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for destination in self.destinations:
            await destination.ended()
        self._hands.stop()

    async def _route(self, domain: str) -> NextHop | None:
        found = await self._directory.domain(domain)
        return found.next_hop if found else None

    async def _way_out(self, domain: str) -> NextHop | None:
        return self._routes.get(domain) or self._routes.get("*")


def onward(config: Config, directory: Directory, reactor: Any) -> Onward:
    """All of them, as the settings have them."""
    settings = config.onward
    patience = Patience(
        settings.connect_timeout,
        settings.reply_timeout,
        end=settings.end_timeout,
        message=settings.message_timeout,
    )
    hops = _hops(config, reactor, patience)
    lifetime = settings.lifetime_days * 86400.0
    routes = {route.name: parse_hop(route.to) for route in config.relay.route}
    return Onward(directory, hops, reactor, config.home, lifetime, routes)


def callout(config: Config, reactor: Any) -> Callout:
    """Who asks next hops for recipients, over connections of its own."""
    seconds = config.recipients.timeout
    hops = _hops(config, reactor, Patience(seconds, seconds, seconds, seconds))
    return Callout(hops, seconds)


def _hops(config: Config, reactor: Any, patience: Patience) -> Hops:
    settings = config.onward
    authorities = settings.authorities
    return Hops(
        reactor,
        config.hostname,
        patience,
        settings.connections,
        config.resolve(authorities) if authorities else None,
    )
