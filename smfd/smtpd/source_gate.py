"""
The gate that judges a connection's source (S2, S3, C5).

What is found is kept until the first RCPT, so that a refusal is a record with
sender and recipient; only what must be is said at once.  Nothing waits for the
DNS beyond one budget of seconds for the whole connection.

Standards: RFC 5321 §4.5.1 (postmaster is always reached), RFC 6647 §2.4.
"""

from collections.abc import Sequence
from ipaddress import ip_network

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from smfd.config.schema import Config
from smfd.format.header import read_header
from smfd.interfaces import IGate, IStage
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.policy.source import (
    STAGE,
    IPNetwork,
    Judged,
    Rule,
    judged,
    network_of,
    within,
)
from smfd.policy.standing import is_authenticated
from smfd.proto.reply import Reply, reply
from smfd.scan.source_known import Sources
from smfd.smtpd.source_visit import Visit
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


@implementer(IGate)
@define(eq=False)
class SourceGate:
    """
    Judges sources by what is known and what the DNS says.

    @ivar spf: proves senders; None when it is off.
    """

    config: Config
    sources: Sources
    clock: IReactorTime
    spf: IStage | None = None
    _visits: dict[str, Visit] = field(factory=dict, init=False)
    _exempt: tuple[IPNetwork, ...] = field(init=False)
    _early: Rule = field(init=False)
    _past: Past = field(init=False)
    _grey: Rule = field(init=False)

    def __attrs_post_init__(self) -> None:
        given = self.config.source
        early, past = given.early, given.history
        self._exempt = tuple(ip_network(text) for text in given.exempt)
        self._early = Rule(early.mode, early.action, early.score)
        self._grey = Rule(self.config.source.greylist.mode)
        self._past = Past(
            Rule(past.mode, "refuse"), past.slow, past.refuse, past.delay, past.network
        )

    # What the door asks.

    def connected(self, session: Session) -> Deferred[Reply | None]:
        """Ask about it, and greet it late or not at all."""
        client = session.client
        if within(client, self._exempt):
            return succeed(None)
        try:
            network = network_of(client)
        except ValueError:  # a UNIX socket has no address
            return succeed(None)
        visit = Visit(client, network, self.config.source.budget)
        self._visits[session.id] = visit
        delay = self._remembered(visit)
        if delay is None:
            return succeed(_turned_away(client))
        self._ask_about(visit)
        return self._greeting(visit, delay)

    def hello(self, session: Session) -> Deferred[Reply | None]:
        """Ask about the name, and note who did not wait."""
        visit = self._visits.get(session.id)
        if visit is not None:
            self._note_early(visit, session.early)
            asked = self.sources.looks.hello(session.helo, visit.client)
            visit.ask("hello", asked)
        return succeed(None)

    def mail(self, session: Session, envelope: Envelope) -> Deferred[Reply | None]:
        """Ask about the sender's domain."""
        visit = self._visits.get(session.id)
        if visit is not None:
            domain = envelope.sender.domain if envelope.sender else ""
            if visit.about.get("sender") != domain:
                visit.about["sender"] = domain
                visit.forget("sender")
                if domain:
                    asked = self.sources.looks.sender(domain, visit.client)
                    visit.ask("sender", asked)
        return succeed(None)

    def rcpt(
        self, session: Session, envelope: Envelope, forward: Forward
    ) -> Deferred[Reply | None]:
        """Now it is decided."""
        visit = self._visits.get(session.id)
        # RFC 5321 §4.5.1: whoever is refused can ask postmaster why.
        if visit is None or forward.address.local.lower() == "postmaster":
            return succeed(None)
        return Deferred.fromCoroutine(self._rcpt(visit, session, envelope, forward))

    def findings(self, session: Session, envelope: Envelope) -> Sequence[Finding]:
        """What was found of the connection, and of this sender."""
        visit = self._visits.get(session.id)
        return () if visit is None else [j.finding for j in visit.judgements()]

    def noted(self, session: Session, record: Record) -> None:
        """What comes from there is remembered."""
        visit = self._visits.get(session.id)
        deed = _deed(record)
        if visit is not None and deed is not None:
            now = self.clock.seconds()
            self.sources.history.count(deed, now, visit.client, visit.network)

    def closed(self, session: Session) -> None:
        """Ask no more."""
        visit = self._visits.pop(session.id, None)
        if visit is not None:
            visit.leave()

    # At connect.

    def _remembered(self, visit: Visit) -> float | None:
        """How late the greeting is, in seconds; None for never."""
        past, history, now = self._past, self.sources.history, self.clock.seconds()
        here = history.standing(visit.client, now)
        there = history.standing(visit.network, now)
        delay = 0.0
        if self._early.on and here.good < _KNOWN:
            delay = self.config.source.early.delay
        points = max(here.points, there.points / past.network)
        if not past.rule.on or points < past.slow:
            return delay
        finding = Finding(
            STAGE,
            "HISTORY_BAD",
            Result.FAIL,
            0.0,
            f"much was refused from {visit.client} or its network a while ago",
            f"points={points:.1f}",
        )
        visit.noted.append(Judged(past.rule.weigh(finding)))
        if past.rule.mode != "enforce":
            return delay
        return None if points >= past.refuse else max(delay, past.delay)

    def _ask_about(self, visit: Visit) -> None:
        looks = self.sources.looks
        for zone in looks.zones:
            visit.ask(f"list {zone.name}", looks.lists(zone, visit.client))
        visit.ask("address", looks.address(visit.client))

    def _greeting(self, visit: Visit, delay: float) -> Deferred[Reply | None]:
        at_once = any(zone.at_connect for zone in self.sources.looks.zones)
        if not delay and not at_once:
            return succeed(None)
        return Deferred.fromCoroutine(self._late(visit, delay, at_once))

    async def _late(self, visit: Visit, delay: float, at_once: bool) -> Reply | None:
        if delay and not visit.allowed:
            await visit.late(delay, self.clock)
        if at_once:
            await visit.wait(self.clock)
            for found in visit.refusing():
                if found.at_connect:
                    return found.refusal
        return None

    def _note_early(self, visit: Visit, early: str) -> None:
        if not early or not self._early.on or "early" in visit.about:
            return
        visit.about["early"] = early
        said = "did not wait for the greeting"
        if early != "greeting":
            said = "did not wait for the answer to EHLO"
        finding = Finding(STAGE, f"EARLY_{early.upper()}", Result.FAIL, 0.0, said)
        visit.noted.append(judged(finding, self._early, visit.client))

    # At RCPT.

    async def _rcpt(
        self, visit: Visit, session: Session, envelope: Envelope, forward: Forward
    ) -> Reply | None:
        await visit.wait(self.clock)
        for found in visit.refusing():
            return found.refusal
        if self._grey.on and self._wants_greylist(forward.address.domain):
            return await self._greylist(visit, session, envelope, forward)
        return None

    def _wants_greylist(self, domain: str) -> bool:
        domains = self.config.source.greylist.domains
        return "*" in domains or domain in domains

    async def _greylist(
        self, visit: Visit, session: Session, envelope: Envelope, forward: Forward
    ) -> Reply | None:
        """RFC 6647 §2.4: a first time is asked to come again."""
        now, greylist = self.clock.seconds(), self.sources.greylist
        known = self.sources.history.standing(visit.client, now).good >= _KNOWN
        if known or visit.allowed or greylist.trusts(visit.network, now):
            return None
        sender = envelope.sender.domain if envelope.sender else ""
        recipient = str(forward.address).lower()
        wait = greylist.wait(visit.network, sender, recipient, now)
        if not wait or await self._proved(visit, session, envelope):
            return None
        if self._grey.mode == "enforce":
            text = f"Greylisted, come again in {round(wait)} seconds"
            return reply(450, "4.7.1", text)
        if "greylist" not in visit.about:
            visit.about["greylist"] = recipient
            said = "would be asked to come again"
            seen = Finding(STAGE, "GREYLISTED", Result.SUSPECT, 0.0, said)
            visit.noted.append(Judged(seen))
        return None

    async def _proved(self, visit: Visit, session: Session, envelope: Envelope) -> bool:
        """Whether SPF proves the sender, as far as there is time to ask."""
        if self.spf is None or envelope.sender is None:
            return False
        now = self.clock.seconds()
        nothing = Transaction(
            *(envelope.id, Flow.INBOUND, now, session, envelope),
            *(Body(0, b""), read_header(b"")),
        )
        asked = self.spf.scan(nothing)
        asked.addTimeout(max(0.0, visit.left), self.clock)
        try:
            found = await asked
        except Exception:
            return False
        finally:
            visit.left -= self.clock.seconds() - now
        return is_authenticated(tuple(found), "envelope")


def _deed(record: Record) -> int | None:
    """What a record counts as; what is only deferred counts as nothing."""
    if record.kind == "refusal":
        if record.verdict != "refused":
            return None
        return UNKNOWN if record.reply.startswith("550 5.1.1 ") else REFUSAL
    if record.verdict == "virus":
        return VIRUS
    return GOOD if record.verdict in _DELIVERED else None


def _turned_away(client: str) -> Reply:
    text = f"Too much was refused from [{client}] or its network, try again later"
    return reply(421, "4.7.0", text, closes=True)
