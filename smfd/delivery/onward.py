"""The two ways to servers that are not ours, and what both need."""

from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from smfd.config.schema import Config
from smfd.delivery.relay import LIFETIME, RelayDestination
from smfd.model.hop import NextHop
from smfd.net.smtp_client import Patience
from smfd.net.smtp_client_callout import Callout
from smfd.net.smtp_client_open import Hops
from smfd.store.directory import Directory
from smfd.store.threads import Threads


class Onward(Service):
    """
    The destinations "lmtp" and "relay".

    @ivar destinations: both of them.
    """

    def __init__(
        self,
        directory: Directory,
        hops: Hops,
        reactor: Any,
        home: Path,
        lifetime: float = LIFETIME,
    ) -> None:
        """
        @param directory: knows the next hops.
        @param home: where what is left of damaged messages is kept.
        @param lifetime: seconds after which we give up.
        """
        self._directory = directory
        self._hops = hops
        self._hands = Threads(reactor, "onward", most=2)
        self.destinations = tuple(
            RelayDestination(
                name, self._route, hops, self._hands, reactor, home, lifetime
            )
            for name in ("lmtp", "relay")
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


def onward(config: Config, directory: Directory, reactor: Any) -> Onward:
    """Both, as the settings have them."""
    settings = config.onward
    patience = Patience(
        settings.connect_timeout,
        settings.reply_timeout,
        end=settings.end_timeout,
        message=settings.message_timeout,
    )
    hops = _hops(config, reactor, patience)
    lifetime = settings.lifetime_days * 86400.0
    return Onward(directory, hops, reactor, config.home, lifetime)


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
