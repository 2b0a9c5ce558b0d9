"""The ways to servers that are not ours, and what all of them need."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from smfd.config.schema import Config
from smfd.delivery.ending import Kept, Told
from smfd.delivery.forwarding import Forwarding
from smfd.delivery.pacing import Pacing
from smfd.delivery.rehearsal import Rehearsal
from smfd.delivery.relay import RelayDestination, Road, Tell
from smfd.delivery.soon import Settle
from smfd.delivery.tls_out import TLSOut, tls_out
from smfd.delivery.tlspolicy import TLSPolicies
from smfd.delivery.tries import Tries
from smfd.delivery.where import Way, Where
from smfd.delivery.where_of import where
from smfd.model.attempt import Attempt
from smfd.model.entry import REMOTE
from smfd.model.said import Said
from smfd.net.dns import resolver
from smfd.net.smtp_client import Patience
from smfd.net.smtp_client_callout import Callout
from smfd.net.smtp_client_open import Hops, Step, Whose, its_own, unwatched
from smfd.policy.mx import NoWay
from smfd.policy.srs import SRS
from smfd.store.directory import Directory
from smfd.store.maillog import MailLog
from smfd.store.queue import Queue
from smfd.store.secret import secret
from smfd.store.threads import Threads

#: Seconds that a server of the world is left alone which was not there.
ABSENCE = 60.0

_DAY = 86_400.0

#: Seconds that a server has for each step when somebody looks on.
_SHORT = 10.0


class Onward(Service):
    """
    The destinations "lmtp" and "relay" for hosted domains, and "remote".

    @ivar destinations: all of them.
    @ivar tls: how safe the world's servers must be.
    @ivar rehearsal: goes the way to the world without mail.
    """

    def __init__(
        self,
        destinations: Sequence[RelayDestination | Forwarding],
        hops: Sequence[Hops],
        hands: Threads,
        tls: TLSOut,
        rehearsal: Rehearsal,
    ) -> None:
        """
        @param hops: all connections.
        @param hands: read what is large.
        @param tls: knows how safe the world's servers must be.
        """
        self.tls = tls
        self.rehearsal = rehearsal
        self.destinations = tuple(destinations)
        self._hops = hops
        self._hands = hands

    def heed(self, queue: Queue) -> None:
        """What an operator touches is tried, though nobody was there just now."""
        told = queue.changed

        def changed(sites: Collection[str]) -> None:
            for hops in self._hops:
                hops.forget()
            told(sites)

        queue.changed = changed

    def startService(self) -> None:
        """Threads that read what is large, and what is known of TLS."""
        self._hands.start()
        self.tls.startService()
        super().startService()

    def stopService(self) -> "Deferred[None]":
        """Finish what is under way, within a deadline; the rest stays due."""
        super().stopService()
        self.tls.hang_up()
        for hops in self._hops:
            hops.close()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for destination in self.destinations:
            await destination.ended()
        await self.tls.stopService()
        self._hands.stop()


def onward(
    config: Config,
    directory: Directory,
    reactor: Any,
    maillog: MailLog,
    tell: Tell,
    pacing: Pacing,
    route_of: Callable[[str], str],
    settle: Settle,
) -> Onward:
    """
    All of them, as the settings have them.

    @param directory: knows the next hops of hosted domains.
    @param tell: is told of each try to send to the world.
    @param pacing: how fast the world is sent to.
    @param route_of: see L{Where <smfd.delivery.where.Where>}.
    @param settle: notes what was taken.
    """
    hands, patience = Threads(reactor, "onward", most=2), _patience(config)
    kept = Kept(config.onward.lifetime_days * _DAY)
    told = Told(config.queue.lifetime_days * _DAY, config.queue.bounce_days * _DAY)
    near = _hops(config, reactor, patience)
    far = _far(config, reactor, patience, pacing.whose)
    safety = tls_out(config, asked := resolver(config.dns, reactor), reactor)
    policies = safety.policies
    tries = Tries(maillog).note
    make = partial(RelayDestination, clock=reactor, home=config.home)
    road = Road(near, hands, tell=tries, settle=settle)
    hosted = partial(_hosted, directory)
    world = Road(far, hands, policies, pacing.pause, _both(tries, tell), settle)
    way = where(config, asked, policies, route_of, pacing.spent)
    return Onward(
        (
            make("lmtp", hosted, road, kept),
            make("relay", hosted, road, kept),
            Forwarding(
                make(REMOTE, way.of, world, told),
                directory,
                srs(config),
                config.hostname,
            ),
        ),
        (near, far),
        hands,
        safety,
        _rehearsal(config, reactor, way, policies),
    )


def _rehearsal(
    config: Config, reactor: Any, way: Where, policies: TLSPolicies
) -> Rehearsal:
    short = Patience(_SHORT, _SHORT, _SHORT, _SHORT)
    return Rehearsal(
        way, policies, reactor, partial(_far, config, reactor, short, its_own)
    )


def srs(config: Config) -> SRS:
    """
    Who makes the senders of what is forwarded, and knows them again.

    @raise SystemExit: the secret of the home can neither be read nor made.
    """
    try:
        own = secret(config.home / "keys" / "srs")
    except OSError as trouble:
        raise SystemExit(f"smfd: cannot start: {trouble}") from None
    return SRS(own, config.recipients.srs_days)


def callout(config: Config, reactor: Any) -> Callout:
    """Who asks next hops for recipients, over connections of its own."""
    seconds = config.recipients.timeout
    patience = Patience(seconds, seconds, seconds, seconds)
    hops = _hops(config, reactor, patience)
    return Callout(hops, seconds)


async def _hosted(
    directory: Directory, domain: str, own: bool, despite_tls: bool
) -> Way:
    """The next hop of a domain of ours."""
    found = await directory.domain(domain)
    hop = found.next_hop if found else None
    if hop is None:
        raise NoWay(Said("4.4.4", "the domain has no next hop any more"), False)
    return Way((hop,))


def _both(one: Tell, other: Tell) -> Tell:
    def tell(attempt: Attempt) -> None:
        one(attempt)
        other(attempt)

    return tell


def _patience(config: Config) -> Patience:
    settings = config.onward
    return Patience(
        settings.connect_timeout,
        settings.reply_timeout,
        end=settings.end_timeout,
        message=settings.message_timeout,
    )


def _far(
    config: Config,
    reactor: Any,
    patience: Patience,
    whose: Whose,
    step: Step = unwatched,
) -> Hops:
    """Connections to the servers of the world."""
    relay = config.relay
    return Hops(
        reactor,
        config.hostname,
        patience,
        relay.connections,
        _trusted(config, config.tls_out.authorities),
        messages=relay.messages,
        absence=ABSENCE,
        step=step,
        whose=whose,
    )


def _hops(config: Config, reactor: Any, patience: Patience) -> Hops:
    settings = config.onward
    trusted = _trusted(config, settings.authorities)
    return Hops(reactor, config.hostname, patience, settings.connections, trusted)


def _trusted(config: Config, authorities: str) -> Path | None:
    return config.resolve(authorities) if authorities else None
