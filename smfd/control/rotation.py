"""
Keys grow old, and others have to know the next ones by then.

Once an hour the DNS is asked for the keys that sign and for the spare ones; an
answer that is not there changes nothing.  A domain that lacks spare keys is given
some.  When it is time for them it is said so; where the settings let them, they
take over by themselves, once the DNS has had them for a day: until then the
servers of a zone may differ.

Standards: RFC 6376 §3.6.2 (where keys are found), §6.1.2 (what others do without).
"""

from collections.abc import Iterator, Sequence

from attrs import define, evolve, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.control.times import utc
from smfd.delivery.signer import Signer
from smfd.model.directory import Refused
from smfd.model.dkim import ACTIVE, ALGORITHMS, RETIRED, SPARE, DKIMKey
from smfd.net.dns_answer import DNSTrouble, Lookup
from smfd.policy.dns_verdict import has_key
from smfd.store.directory_dkim import DKIMKeys
from smfd.store.directory_rows import SMFD
from smfd.store.rounds import Rounds

#: Seconds between two rounds, and domains that are looked at in one.
ROUND, SOME = 3600.0, 500

#: Seconds for which the DNS must have had a key that is to sign by itself.
PROVEN = 86_400.0

#: Names in a sentence.
_MOST = 10

#: What is said of keys in each state that nobody finds.
_UNFOUND = {
    ACTIVE: "Others do not find the DKIM keys that sign for",
    SPARE: "The DNS does not have the spare DKIM keys of",
}


@frozen
class Terms:
    """
    What the settings say of the age of keys.

    @ivar age: seconds for which a key signs; 0: for ever.
    @ivar by_itself: the spare ones take over then.
    """

    age: float = 0.0
    by_itself: bool = False


@frozen
class Seen:
    """
    Whether others find a key.

    @ivar state: whether it signs or is spare.
    @ivar published: None: nobody could say so far.
    @ivar since: when it was first seen so, seconds since the epoch.
    @ivar answered: the last look had an answer.
    """

    state: str
    published: bool | None = None
    since: float = 0.0
    answered: bool = False

    def then(self, published: bool | None, now: float) -> "Seen":
        """And what the next look says."""
        if published is None:
            return evolve(self, answered=False)
        since = self.since if published is self.published else now
        return evolve(self, published=published, since=since, answered=True)

    def is_proven(self, now: float) -> bool:
        """Whether it was found just now, and at every look for long enough."""
        found = self.answered and self.published is True
        return found and self.since + PROVEN <= now


async def published(resolver: Lookup, key: DKIMKey) -> bool | None:
    """Whether the record that others see has a key; None: nobody says just now."""
    try:
        answer = await resolver.lookup(key.name, "TXT")
    except DNSTrouble:
        return None
    return len(answer.records) == 1 and has_key(answer.records[0], key.record)


@define(eq=False)
class Rotation(Service):
    """
    Looks whether keys are published and how old they are.

    @ivar resolver: asks afresh each time.
    """

    name = "rotation"

    keys: DKIMKeys
    signer: Signer
    resolver: Lookup
    clock: IReactorTime
    terms: Terms = Terms()
    _seen: dict[str, dict[str, Seen]] = field(factory=dict, init=False)
    _late: set[str] = field(factory=set, init=False)
    _after: str = field(default="", init=False)
    _rounds: Rounds = field(init=False)

    _log = Logger()

    @_rounds.default
    def _hourly(self) -> Rounds:
        return Rounds(self._look, self.clock, ROUND, "keys are not looked at")

    def startService(self) -> None:
        """The first round is after an hour: a start has enough to do."""
        super().startService()
        if self.signer.signs:
            self._rounds.start()

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        self._rounds.stop()

    def look(self) -> Deferred[None]:
        """Look at the next domains now; never fails."""
        return self._rounds.once()

    def seen(self, key: DKIMKey) -> bool | None:
        """Whether a key was in the DNS when it was looked for last."""
        seen = self._seen.get(key.domain, {}).get(key.selector)
        return seen.published if seen else None

    def is_late(self, key: DKIMKey) -> bool:
        """Whether it is time for another in its place."""
        due = key.due(self.terms.age)
        return due is not None and due <= self.clock.seconds()

    async def alarms(self) -> list[str]:
        """Which keys are too old, and which nobody finds, a sentence each."""
        return [*await self._old(), *self.unfound(), *self.unfound(SPARE)]

    async def _old(self) -> Sequence[str]:
        if not (self.terms.age and self.signer.signs):
            return ()
        found = await self.keys.old(self.clock.seconds() - self.terms.age, _MOST)
        more = found.total - len(found.items)
        said = [self._said(domain, since) for domain, since in found.items]
        return [*said, *([f"Domains likewise: {more} more."] if more else [])]

    def _said(self, domain: str, since: float) -> str:
        todo = f"dkim rotate {domain}."
        if self.terms.by_itself:
            todo = f"the spare ones wait for the DNS: dkim show {domain}."
        return f"What signs for {domain} does so since {utc(since)[:10]}: {todo}"

    def unfound(self, state: str = ACTIVE, domain: str = "") -> Iterator[str]:
        """
        Which keys others did not find the last time, in a sentence, if any.

        @param domain: ask only for its keys; "" for all.
        """
        names = [
            name
            for name, keys in sorted(self._seen.items())
            if domain in ("", name)
            and any(k.state == state and k.published is False for k in keys.values())
        ]
        if names:
            more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
            told = f"{', '.join(names[:_MOST])}{more}"
            yield f"{_UNFOUND[state]} {told}: dkim show DOMAIN."

    async def _look(self) -> None:
        """Look at some domains, at the next ones the next time."""
        after, names = self._after, await self.keys.domains(self._after, SOME)
        self._after = last = names[-1] if len(names) == SOME else ""
        passed = {n for n in self._seen if n > after and (n <= last or not last)}
        for name in passed - {*names}:
            del self._seen[name]
        for name in names:
            try:
                await self._look_at(name)
            except Refused as why:
                self._log.info("{name}: {why}", name=name, why=why)

    async def _look_at(self, domain: str) -> None:
        keys = await self.keys.keys(domain)
        await self._look_for(domain, [key for key in keys if key.state != RETIRED])
        spare = [key for key in keys if key.state == SPARE]
        late = any(map(self.is_late, keys))
        if {key.algorithm for key in spare} != {*ALGORITHMS}:
            pairs = [await self.signer.make() for _ in range(2)]
            await self.keys.add(domain, pairs, actor=SMFD)
        elif self.terms.by_itself and late and self._are_proven(spare):
            made = await self.signer.make()
            keys = await self.keys.rotate(domain, spare, made, actor=SMFD)
            self._log.info("{domain}: the spare keys sign now", domain=domain)
        self._tell(domain, [key for key in keys if self.is_late(key)])

    async def _look_for(self, domain: str, keys: Sequence[DKIMKey]) -> None:
        asked = [Deferred.fromCoroutine(published(self.resolver, k)) for k in keys]
        answers: Sequence[bool | None] = await gatherResults(asked)
        before, now = self._seen.get(domain, {}), self.clock.seconds()
        self._seen[domain] = {
            key.selector: evolve(
                before.get(key.selector, Seen(key.state)), state=key.state
            ).then(answer, now)
            for key, answer in zip(keys, answers, strict=True)
        }

    def _are_proven(self, keys: Sequence[DKIMKey]) -> bool:
        now = self.clock.seconds()
        return all(self._seen[k.domain][k.selector].is_proven(now) for k in keys)

    def _tell(self, domain: str, late: Sequence[DKIMKey]) -> None:
        """It is time for others: once."""
        if not late:
            self._late.discard(domain)
        elif domain not in self._late:
            self._late.add(domain)
            since = min(key.activated or 0.0 for key in late)
            self._log.warn("ALARM: {said}", said=self._said(domain, since))
