"""
Our own addresses are looked up as others look them up: on lists, and by name.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.control.times import utc
from smfd.net.dns_answer import DNSTrouble, Lookup
from smfd.policy.listed import ANSWERS, Listed, Named, names
from smfd.policy.networks import address_of, networks
from smfd.policy.source import listing, reversed_name
from smfd.store.rounds import Rounds

#: Seconds between two rounds.
ROUND = 3600.0

#: Addresses of ours that are looked at.
_MOST = 32


@frozen
class Look:
    """
    What was found of one address.

    @ivar listed: the lists that have it.
    @ivar clean: those that do not.
    @ivar unknown: those that did not answer, or would not.
    @ivar named: its names; None when the DNS did not say.
    @ivar hello: what we call ourselves there.
    """

    address: str
    listed: tuple[Listed, ...]
    clean: tuple[str, ...]
    unknown: tuple[str, ...]
    named: Named | None
    hello: str

    @property
    def fault(self) -> str:
        """What is wrong with its names, a clause; or ""."""
        if self.named is None:
            return ""
        return self.named.fault(self.hello)


@define(eq=False)
class Listings(Service):
    """
    Looks once an hour.

    @ivar addresses: ours, and what we call ourselves there; none: those of
        our hostname.
    @ivar zones: the lists.
    @ivar looks: what was found last, by address.
    @ivar at: when that was, seconds since the epoch; 0 for never.
    """

    name = "listings"

    resolver: Lookup
    clock: IReactorTime
    hostname: str
    addresses: Mapping[str, str] = field(factory=dict)
    zones: tuple[str, ...] = ()
    looks: dict[str, Look] = field(factory=dict, init=False)
    at: float = field(default=0.0, init=False)
    _rounds: Rounds = field(init=False)

    _log = Logger()

    @_rounds.default
    def _hourly(self) -> Rounds:
        return Rounds(self._look, self.clock, ROUND, "lists are not looked at")

    def startService(self) -> None:
        """Begin to look; where there are no lists, names are looked at when asked."""
        super().startService()
        if self.zones:
            self._rounds.start(now=True)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        self._rounds.stop()

    def look(self) -> Deferred[None]:
        """Look now; never fails."""
        return self._rounds.once()

    async def look_if_old(self) -> None:
        """Look, where nobody did within the hour: without lists nobody does."""
        if not 0 <= self._now() - self.at < ROUND:
            await self.look()

    async def ours(self) -> frozenset[str]:
        """Our addresses; those of our hostname are looked up."""
        if not self.addresses:
            await self.look_if_old()
        return frozenset([*self.looks, *self.addresses])

    def alarms(self) -> list[str]:
        """What is wrong with lists, a sentence each."""
        return [
            f"LISTED: {one.zone} has our address {one.address} since"
            f" {utc(one.since)}: {one.meaning}."
            for look in self.looks.values()
            for one in look.listed
        ]

    async def _look(self) -> None:
        ours = self.addresses or dict.fromkeys(await self._own(), self.hostname)
        found = await gatherResults(
            [
                Deferred.fromCoroutine(self._one(address, hello))
                for address, hello in islice(ours.items(), _MOST)
            ]
        )
        before = {(o.address, o.zone) for x in self.looks.values() for o in x.listed}
        self.looks, self.at = {look.address: look for look in found}, self._now()
        for one in (o for look in found for o in look.listed):
            if (one.address, one.zone) not in before:
                self._log.error(
                    "ALARM: {zone} lists our address {address}: {meaning}",
                    zone=one.zone,
                    address=one.address,
                    meaning=one.meaning,
                )

    async def _own(self) -> tuple[str, ...]:
        """Those of our hostname that the world could see."""
        found: list[str] = []
        for kind in ("A", "AAAA"):
            records = await self._records(self.hostname, kind)
            # Nobody says: then they are as they were.
            found += self.looks if records is None else records
        return tuple(a for a in dict.fromkeys(found) if address_of(a).is_global)

    async def _one(self, address: str, hello: str) -> Look:
        asked = [Deferred.fromCoroutine(self._on(address, z)) for z in self.zones]
        answers: Sequence[Any] = await gatherResults(asked)
        pairs = list(zip(self.zones, answers, strict=True))
        return Look(
            address,
            tuple(answer for _, answer in pairs if isinstance(answer, Listed)),
            tuple(zone for zone, answer in pairs if answer == ""),
            tuple(zone for zone, answer in pairs if answer is None),
            await self._named(address),
            hello,
        )

    async def _on(self, address: str, zone: str) -> Listed | str | None:
        """
        The listing, "" for none, None when nobody knows.

        Where nobody says just now, what was said last stands: an alarm does not
        end because a resolver does not answer.
        """
        answers = await self._records(reversed_name(address, zone), "A")
        if answers is None:
            return self._before(address, zone)
        try:
            answer = listing(answers, networks(ANSWERS))
        except ValueError:
            # It does not want to be asked by our resolver, or is gone and
            # somebody answers everything.
            return self._before(address, zone)
        if not answer:
            return ""
        before = self._before(address, zone)
        since = self._now() if before is None else before.since
        return Listed(address, zone, answer, since)

    def _before(self, address: str, zone: str) -> Listed | None:
        """The listing that was seen last."""
        look = self.looks.get(address)
        listed = look.listed if look else ()
        return next((one for one in listed if one.zone == zone), None)

    async def _named(self, address: str) -> Named | None:
        reverse = address_of(address)
        found = await self._records(reverse.reverse_pointer, "PTR")
        if found is None:
            return None
        kind = "A" if reverse.version == 4 else "AAAA"
        own = []
        for name in names(found):
            addresses = await self._records(name, kind) or ()
            if any(address_of(text) == reverse for text in addresses):
                own.append(name)
        return Named(address, names(found), tuple(own))

    async def _records(self, name: str, kind: str) -> Sequence[str] | None:
        """The records; None when there was no answer."""
        try:
            answer = await self.resolver.lookup(name, kind)
        except (DNSTrouble, CancelledError):
            return None
        return [str(text) for text in answer.records]

    def _now(self) -> float:
        return self.clock.seconds()
