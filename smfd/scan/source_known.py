"""
All that is known of addresses, in one place: the past, and the DNS.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from smfd.config.schema import Config
from smfd.config.source import SourceList
from smfd.config.value import SYSTEMD, split_address
from smfd.net.dns_answer import Lookup
from smfd.policy.networks import IPAddress, address_of, network_of, networks
from smfd.policy.source import Judged, Rule, Rules, Zone
from smfd.scan.source import Looks
from smfd.store.history import Greylist, History, Shelf


@frozen
class Sources:
    """
    What is known of those who connect.

    @ivar history: what they did.
    @ivar greylist: who came back.
    @ivar looks: what the DNS says of them.
    @ivar rules: what is asked, and what it is worth.
    """

    history: History
    greylist: Greylist
    looks: Looks
    rules: Rules
    clock: IReactorTime

    @property
    def shelves(self) -> Mapping[str, Shelf]:
        """What is to be kept over a restart, by name."""
        return {"history": self.history.shelf, "greylist": self.greylist.shelf}

    async def about(self, client: str) -> dict[str, Any]:
        """
        Everything about an address; asks the DNS.

        @raise ValueError: it is no address.
        """
        client = str(address_of(client))
        network, now = network_of(client), self.clock.seconds()
        found: list[Judged] = []
        if self.rules.reverse_dns.on:
            found += self.rules.judge(await self.looks.address(client), client)
        for zone in self.rules.zones:
            found += zone.judge(await self.looks.lists(zone, client), client)
        return {
            "address": client,
            "network": network,
            "history": self._deeds(client, now),
            "network_history": self._deeds(network, now),
            "came_back": self.greylist.trusts(network, now),
            "findings": [
                {
                    "symbol": j.finding.symbol,
                    "result": j.finding.result.value,
                    "score": j.finding.score,
                    "reason": j.finding.reason,
                    "evidence": j.finding.evidence,
                    "refuses": j.refusal is not None,
                }
                for j in found
            ],
        }

    def forget(self, client: str) -> dict[str, Any]:
        """
        Forget the past of an address and of its network.

        @raise ValueError: it is no address.
        """
        client = str(address_of(client))
        network = network_of(client)
        shelf = self.history.shelf
        rows = shelf.drop(client) + shelf.drop(network)
        rows += self.greylist.forget(network)
        return {"address": client, "network": network, "forgotten": rows}

    def _deeds(self, who: str, now: float) -> dict[str, float]:
        standing = self.history.standing(who, now)
        return {
            "points": round(standing.points, 2),
            "refusals": round(standing.refusals, 2),
            "unknown_recipients": round(standing.unknown, 2),
            "viruses": round(standing.viruses, 2),
            "good": round(standing.good, 2),
        }


def sources(
    config: Config,
    resolver: Lookup,
    is_hosted: Callable[[str], Deferred[bool]],
    clock: IReactorTime,
) -> Sources:
    """What the settings ask for."""
    given = config.source
    looks = Looks(
        resolver,
        clock,
        config.hostname,
        _ours(config),
        is_hosted,
    )
    grey = given.greylist
    return Sources(
        History(Shelf(given.history.entries), given.history.half_life),
        Greylist(Shelf(grey.entries), grey.delay, grey.window, grey.kept, grey.enough),
        looks,
        _rules(config),
        clock,
    )


def _rules(config: Config) -> Rules:
    given = config.source
    reverse, hello, sender = given.reverse_dns, given.hello, given.sender_domain
    return Rules(
        Rule(reverse.mode, reverse.action, reverse.score, reverse.on_error),
        Rule(given.forged.mode, given.forged.action, given.forged.score),
        Rule(hello.mode, hello.action, hello.score, hello.on_error),
        Rule(given.null_mx.mode, given.null_mx.action, given.null_mx.score),
        Rule(sender.mode, sender.action, sender.score, sender.on_error),
        tuple(_zone(one) for one in given.list if one.mode != "off"),
    )


def _ours(config: Config) -> tuple[IPAddress, ...]:
    """The addresses we listen on, where they are named, and those given."""
    heard = [
        address_of(split_address(text)[0])
        for text in (*config.mx.listen, *config.mx.listen_tls)
        if not text.startswith(SYSTEMD)
    ]
    given = [address_of(text) for text in config.source.forged.addresses]
    return tuple([*(a for a in heard if not a.is_unspecified), *given])


def _zone(given: SourceList) -> Zone:
    """The list that the settings speak of; an allow list refuses nobody."""
    allow = given.kind == "allow"
    refuses = given.tier == 1 and not allow
    return Zone(
        given.zone.rstrip(".").lower(),
        networks(given.match),
        allow,
        refuses and given.at == "connect",
        Rule(
            given.mode,
            "refuse" if refuses else "score",
            -given.score if allow else given.score,
            given.on_error,
        ),
    )
