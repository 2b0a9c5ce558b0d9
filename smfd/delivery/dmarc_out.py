"""
Domains that ask for it are told, once a day, what came in their name.

Whoever they name as somebody else's has to say himself that he wants it: else
anybody could have a thousand servers write to his enemy.

Standards: RFC 7489 §7.1, §7.2.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from smfd.format.dmarc_feedback import DMARCLetter, Feedback, Row
from smfd.net.dns import DNSTrouble, Lookup
from smfd.policy.dmarc_record import Asked, Published, confirming, confirms, record
from smfd.policy.dmarc_seen import Seen, seen
from smfd.policy.report_days import Day
from smfd.store.dmarc_tally import DMARCTally, Kind
from smfd.store.rounds import Rounds
from smfd.store.threads import Threads

#: Seconds between two rounds; records, and domains, that one of them does.
ROUND, RECORDS, DOMAINS = 600.0, 20_000, 500

#: Records that are read at once.
_PAGE = 500

#: Days after which a domain that could not be asked is told nothing.
_LATE = 2

_DAY = 86_400

#: Numbered records behind a number, at most so many.
Records = Callable[[int, int], Sequence[tuple[int, Mapping[str, Any]]]]

#: Has a letter sent: what it is, and the whole message.
Send = Callable[[DMARCLetter, bytes], Awaitable[object]]


@frozen
class Reporter:
    """
    Who reports.

    @ivar sender: the address that letters come from; its domain signs them.
    @ivar name: our hostname.
    @ivar organization: the domain that another belongs to (RFC 7489 §3.2).
    """

    sender: str
    name: str
    organization: Callable[[str], str]


class DMARCOut(Service):
    """Counts what came, and tells those who ask."""

    name = "dmarc-reports"
    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        tally: DMARCTally,
        records: Records,
        resolver: Lookup,
        reporter: Reporter,
        send: Send,
    ) -> None:
        """
        @param records: blocks; it is called in a thread.
        """
        self._reactor = reactor
        self._tally = tally
        self._records = records
        self._hands = Threads(reactor, "dmarc-reports")
        self._resolver = resolver
        self._reporter = reporter
        self._send = send
        self._rounds = Rounds(self.round, reactor, ROUND, "DMARC reports wait")

    def startService(self) -> None:
        """The first round is after a while."""
        super().startService()
        self._hands.start()
        self._rounds.start()

    def stopService(self) -> Deferred[None]:
        """Finish the domain in hand, so that it is not told twice; no more rounds."""
        super().stopService()
        return self._rounds.stop().addCallback(lambda _: self._hands.stop())

    async def round(self) -> None:
        """Count what is new, and tell what is due."""
        now = self._reactor.seconds()
        first = int(now // _DAY) - _LATE
        await self._count(first)
        await self._tally.forget(first)
        for day in await self._tally.due(now, DOMAINS):
            if not self.running:
                return
            if await self._told(day):
                await self._tally.drop(day)

    async def _count(self, first: int) -> None:
        """Count what is new, from a day on."""
        through = await self._tally.through()
        for _ in range(RECORDS // _PAGE):
            counts, end = await self._hands.run(self._counted, through, first)
            if end == through or not self.running:
                return
            through = end
            await self._tally.add(counts, through)

    def _counted(self, through: int, first: int) -> tuple[Counter[Kind], int]:
        """What comes behind a record, and the last one of it; blocks."""
        counts: Counter[Kind] = Counter()
        for number, document in self._records(through, _PAGE):
            through, day = number, int(document["time"] // _DAY)
            kind = seen(document) if day >= first else None
            if kind is not None:
                counts[day, kind] += 1
        return counts, through

    async def _told(self, day: Day) -> bool:
        """Whether nothing is left to be done of a day."""
        try:
            published = await self._published(day.domain)
            if published is None:
                return True
            wanted = [a for a in published.rua if await self._confirmed(published, a)]
        except DNSTrouble:
            return False
        if not wanted:
            return True
        kinds = await self._tally.kinds(day)
        written = await self._hands.run(self._letters, day, published, wanted, kinds)
        for letter, octets in written:
            await self._mail(letter, octets)
        return True

    def _letters(
        self,
        day: Day,
        published: Published,
        wanted: Sequence[Asked],
        kinds: Sequence[tuple[Seen, int]],
    ) -> list[tuple[DMARCLetter, bytes]]:
        """To each whose limit it is below; blocks."""
        report = self._report(day, published, kinds)
        packed = report.packed()
        sender, now = self._reporter.sender, self._reactor.seconds()
        letters = [
            DMARCLetter(
                sender, asked.address, report.submitter, report.domain, report, now
            )
            for asked in wanted
            if not asked.most or len(packed) <= asked.most
        ]
        return [(letter, letter.written(packed)) for letter in letters]

    async def _published(self, domain: str) -> Published | None:
        """RFC 7489 §6.6.3: the domain's record, or its organization's."""
        for name in dict.fromkeys((domain, self._reporter.organization(domain))):
            answer = await self._resolver.lookup(f"_dmarc.{name}", "TXT")
            texts = [r.decode("ascii", "replace")[:2048] for r in answer.records]
            found = [tags for text in texts if (tags := record(text)) is not None]
            if found:
                return Published(name, found[0]) if len(found) == 1 else None
        return None

    async def _confirmed(self, published: Published, asked: Asked) -> bool:
        organization = self._reporter.organization
        if organization(asked.domain) == organization(published.domain):
            return True
        name = confirming(published.domain, asked)
        return confirms((await self._resolver.lookup(name, "TXT")).records)

    def _report(
        self, day: Day, published: Published, kinds: Sequence[tuple[Seen, int]]
    ) -> Feedback:
        reporter, begin = self._reporter, int(day.begin)
        ours = reporter.sender.rpartition("@")[2]
        unique = sha256(f"{day.key} {reporter.name}".encode()).hexdigest()[:20]
        tags = published.tags
        return Feedback(
            reporter.name,
            reporter.sender,
            f"{day.number}.{unique}@{ours}",
            published.domain,
            begin,
            begin + _DAY - 1,
            (
                ("adkim", published.mode("dkim")),
                ("aspf", published.mode("spf")),
                ("p", tags.get("p", "none")),
                ("sp", tags.get("sp", tags.get("p", "none"))),
                ("pct", tags.get("pct", "100")),
            ),
            [self._row(published, kind, number) for kind, number in kinds],
        )

    def _row(self, published: Published, kind: Seen, number: int) -> Row:
        signed = [result for result in kind.dkim.split(";") if result]

        def aligned(method: str, result: str) -> bool:
            of = self._reporter.organization
            return published.aligned(method, result, kind.domain, of)

        spf = kind.spf.split(" ")
        return Row(
            kind.source,
            number,
            kind.disposition,
            any(aligned("dkim", result) for result in signed),
            aligned("spf", kind.spf),
            kind.domain,
            [_signature(result) for result in signed],
            (spf[0], spf[1]) if len(spf) > 1 else None,
        )

    async def _mail(self, letter: DMARCLetter, octets: bytes) -> None:
        try:
            await self._send(letter, octets)
        except Exception as error:
            if not self.running:
                raise
            # Half a day's report twice is worse than none.
            self._log.info(
                "no DMARC report to {where}: {why}",
                where=letter.recipient,
                why=type(error).__name__,
            )


def _signature(result: str) -> tuple[str, str, str]:
    words = [*result.split(" "), "", ""]
    return words[0], words[1], words[2]
