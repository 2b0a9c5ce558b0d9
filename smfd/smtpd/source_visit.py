"""
One connection whose source is judged (S2, S3, C5).

What is found is kept until the first RCPT, so that a refusal is a record with
sender and recipient; only what must be is said at once.  Nothing waits for the
DNS beyond one budget of seconds for the whole connection.

Standards: RFC 5321 §4.5.1 (postmaster is always reached), RFC 6647 §2.4.
"""

from collections.abc import Sequence

from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from smfd.format.header import read_header
from smfd.interfaces import Answer, IStage
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.policy.source import STAGE, Judged, Rule, judged
from smfd.policy.standing import is_authenticated
from smfd.proto.reply import Reply, reply
from smfd.scan.source_known import Sources
from smfd.smtpd.inquiry import Inquiry
from smfd.smtpd.visit import Visit
from smfd.store.history import GOOD, REFUSAL, UNKNOWN, VIRUS

#: A good message is remembered as one down to this.
_KNOWN = 0.1

_DELIVERED = ("clean", "allowed")


@frozen
class Past:
    """What the settings make of an address's history."""

    rule: Rule
    slow: float
    refuse: float
    delay: float
    network: float


@frozen
class Terms:
    """
    How sources are judged, and by what.

    @ivar early: what it is not to wait for the greeting.
    @ivar delay: seconds that the greeting of a stranger is late.
    @ivar grey: whether who comes for the first time comes again.
    @ivar domains: whose recipients want that; C{"*"} is all.
    @ivar spf: proves senders; None when it is off.
    """

    sources: Sources
    clock: IReactorTime
    early: Rule
    delay: float
    past: Past
    grey: Rule
    domains: Sequence[str] = ()
    spf: IStage | None = None


@define(eq=False)
class SourceVisit(Visit):
    """A connection that is judged."""

    terms: Terms
    inquiry: Inquiry

    def connected(self, session: Session) -> Answer:
        """Ask about it, and greet it late or not at all."""
        delay = self._remembered()
        if delay is None:
            return _turned_away(self.inquiry.client)
        self._ask_about()
        return self._greeting(delay)

    def hello(self, session: Session) -> Answer:
        """Ask about the name, and note who did not wait."""
        inquiry, sources = self.inquiry, self.terms.sources
        self._note_early(session.early)
        rules, client = sources.rules, inquiry.client
        if rules.any_hello:
            asked = sources.looks.hello(session.helo, client, rules.hello.on)
            inquiry.ask("hello", asked, rules)
        return None

    def mail(self, session: Session, envelope: Envelope) -> Answer:
        """Ask about the sender's domain."""
        inquiry = self.inquiry
        domain = envelope.sender.domain if envelope.sender else ""
        if inquiry.about.get("sender") != domain:
            inquiry.about["sender"] = domain
            inquiry.forget("sender")
            sources = self.terms.sources
            if domain and sources.rules.any_sender:
                inquiry.ask("sender", sources.looks.sender(domain), sources.rules)
        return None

    def rcpt(self, session: Session, envelope: Envelope, forward: Forward) -> Answer:
        """Now it is decided."""
        # RFC 5321 §4.5.1: whoever is refused can ask postmaster why.
        if forward.address.local.lower() == "postmaster":
            return None
        return Deferred.fromCoroutine(self._rcpt(session, envelope, forward))

    def findings(self, envelope: Envelope) -> Sequence[Finding]:
        """What was found of the connection, and of this sender."""
        return [judged.finding for judged in self.inquiry.judgements()]

    def noted(self, session: Session, record: Record) -> None:
        """What comes from there is remembered."""
        deed = _deed(record)
        if deed is not None:
            self._remember(deed)

    def erred(self, session: Session, answer: Reply) -> None:
        """A mistake is a refusal like any other."""
        self._remember(REFUSAL)

    def closed(self) -> None:
        """Ask no more."""
        self.inquiry.leave()

    def _remember(self, deed: int) -> None:
        inquiry, now = self.inquiry, self.terms.clock.seconds()
        history = self.terms.sources.history
        history.count(deed, now, inquiry.client, inquiry.network)

    # At connect.

    def _remembered(self) -> float | None:
        """How late the greeting is, in seconds; None for never."""
        past, history = self.terms.past, self.terms.sources.history
        inquiry, now = self.inquiry, self.terms.clock.seconds()
        here = history.standing(inquiry.client, now)
        there = history.standing(inquiry.network, now)
        delay = 0.0
        if self.terms.early.on and here.good < _KNOWN:
            delay = self.terms.delay
        points = max(here.points, there.points / past.network)
        if not past.rule.on or points < past.slow:
            return delay
        finding = Finding(
            STAGE,
            "HISTORY_BAD",
            Result.FAIL,
            0.0,
            f"much was refused from {inquiry.client} or its network a while ago",
            f"points={points:.1f}",
        )
        inquiry.noted.append(Judged(past.rule.weigh(finding)))
        if past.rule.mode != "enforce":
            return delay
        return None if points >= past.refuse else max(delay, past.delay)

    def _ask_about(self) -> None:
        sources, inquiry = self.terms.sources, self.inquiry
        looks, rules, client = sources.looks, sources.rules, inquiry.client
        for zone in rules.zones:
            inquiry.ask(f"list {zone.name}", looks.lists(zone, client), zone)
        if rules.reverse_dns.on:
            inquiry.ask("address", looks.address(client), rules)

    def _greeting(self, delay: float) -> Answer:
        at_once = self.terms.sources.rules.at_connect
        if not delay and not at_once:
            return None
        return Deferred.fromCoroutine(self._late(delay, at_once))

    async def _late(self, delay: float, at_once: bool) -> Reply | None:
        if delay and not self.inquiry.allowed:
            await self.inquiry.late(delay, self.terms.clock)
        if at_once:
            await self.inquiry.wait(self.terms.clock)
            for found in self.inquiry.refusing():
                if found.at_connect:
                    return found.refusal
        return None

    def _note_early(self, early: str) -> None:
        rule, inquiry = self.terms.early, self.inquiry
        if not early or not rule.on or "early" in inquiry.about:
            return
        inquiry.about["early"] = early
        said = "did not wait for the greeting"
        if early != "greeting":
            said = "did not wait for the answer to EHLO"
        finding = Finding(STAGE, f"EARLY_{early.upper()}", Result.FAIL, 0.0, said)
        inquiry.noted.append(judged(finding, rule, inquiry.client))
        if rule.mode == "enforce":
            self._remember(REFUSAL)

    # At RCPT.

    async def _rcpt(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Reply | None:
        await self.inquiry.wait(self.terms.clock)
        for found in self.inquiry.refusing():
            return found.refusal
        if self.terms.grey.on and self._wants_greylist(forward.address.domain):
            return await self._greylist(session, envelope, forward)
        return None

    def _wants_greylist(self, domain: str) -> bool:
        domains = self.terms.domains
        return "*" in domains or domain in domains

    async def _greylist(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Reply | None:
        """RFC 6647 §2.4: a first time is asked to come again."""
        inquiry, sources = self.inquiry, self.terms.sources
        now, greylist = self.terms.clock.seconds(), sources.greylist
        known = sources.history.standing(inquiry.client, now).good >= _KNOWN
        if known or inquiry.allowed or greylist.trusts(inquiry.network, now):
            return None
        sender = envelope.sender.domain if envelope.sender else ""
        recipient = str(forward.address).lower()
        wait = greylist.wait(inquiry.network, sender, recipient, now)
        if not wait or await self._proved(session, envelope):
            return None
        if self.terms.grey.mode == "enforce":
            text = f"Greylisted, come again in {round(wait)} seconds"
            return reply(450, "4.7.1", text)
        if "greylist" not in inquiry.about:
            inquiry.about["greylist"] = recipient
            said = "would be asked to come again"
            seen = Finding(STAGE, "GREYLISTED", Result.SUSPECT, 0.0, said)
            inquiry.noted.append(Judged(seen))
        return None

    async def _proved(self, session: Session, envelope: Envelope) -> bool:
        """Whether SPF proves the sender, as far as there is time to ask."""
        spf, clock = self.terms.spf, self.terms.clock
        if spf is None or envelope.sender is None:
            return False
        now = clock.seconds()
        nothing = Transaction(
            *(envelope.id, Flow.INBOUND, now, session, envelope),
            *(Body(0, b""), read_header(b"")),
        )
        asked = spf.scan(nothing)
        asked.addTimeout(max(0.0, self.inquiry.left), clock)
        try:
            found = await asked
        except Exception:
            return False
        finally:
            self.inquiry.left -= clock.seconds() - now
        return is_authenticated(tuple(found), "envelope")


def _deed(record: Record) -> int | None:
    """What a record counts as; what is only deferred counts as nothing."""
    if record.kind == "refusal":
        if record.verdict != "refused":
            return None
        return UNKNOWN if record.unknown else REFUSAL
    if record.verdict == "virus":
        return VIRUS
    return GOOD if record.verdict in _DELIVERED else None


def _turned_away(client: str) -> Reply:
    text = f"Too much was refused from [{client}] or its network, try again later"
    return reply(421, "4.7.0", text, closes=True)
