"""
The few things a site may write for itself.

An interface is here when two real things stand behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from smfd.model.entry import Consignment, Outcome
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body, Transaction
from smfd.policy.quota import Draw, Excess, Taken
from smfd.proto.reply import Reply
from smfd.proto.sasl import Login

#: A reply, at once or later.
Said = Reply | Deferred[Reply]

#: The session of somebody believed, or a refusal, at once or later.
Believed = Reply | Session | Deferred[Reply | Session]

#: What a gate says: pass, or a refusal, at once or later.
Answer = Reply | None | Deferred[Reply | None]


class IHands(Interface):
    """
    Where work is done that would hold up the reactor: threads, or a process.
    """

    def run(function: Callable[..., Any], *args: object) -> Deferred[Any]:
        """
        Call a function there; fires with what it returns.

        Fails with what it raised, or with
        L{Closed <smfd.store.threads.Closed>} when nobody can do it now.
        """


class IStage(Interface):
    """
    Looks at a message and reports.  It decides nothing and changes nothing.
    """

    name: str = Attribute("The word findings and settings know it by.")

    def scan(transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """
        Look at a transaction.

        May fail and may take long: the chain turns both into an ERROR
        finding.
        """


class IIncoming(Interface):
    """A message body while it arrives."""

    def write(chunk: bytes) -> "Deferred[None] | None":
        """
        Take some of the body: CRLF line ends, dots already unstuffed.

        @return: None to go on at once; else read no more until it fires.
        """

    def finish() -> "Body | Deferred[Body]":
        """All of it has come."""

    def abandon() -> None:
        """It will never be complete: leave nothing behind."""


class IDoor(Interface):
    """
    What stands behind the connections of one role; one for all of them.

    Each connection asks one thing at a time.

    Every method returns the reply to send, or a Deferred of it when that takes
    time.  A failure is our fault and is answered 451; it is never shown.
    """

    def connected(session: Session) -> Said:
        """Somebody came: 220 greets, 4yz or 5yz refuses and closes."""

    def hello(session: Session) -> Said:
        """EHLO or HELO; the machine adds the extensions to a 250."""

    def login(session: Session, login: Login) -> Believed:
        """Who he says he is: a refusal, or the session of one believed."""

    def mail(session: Session, envelope: Envelope) -> Said:
        """MAIL FROM; the envelope has no recipients yet."""

    def rcpt(session: Session, envelope: Envelope, forward: Forward) -> Said:
        """RCPT TO; a 250 adds C{forward} to the envelope."""

    def data(
        session: Session, envelope: Envelope
    ) -> "Reply | IIncoming | Deferred[Reply | IIncoming]":
        """
        DATA or the first BDAT: either a refusal, or where the body goes.
        """

    def message(session: Session, envelope: Envelope, body: Body) -> Said:
        """The whole message is here; the reply says whose it is now."""

    def refused(session: Session, envelope: Envelope | None, refusal: Reply) -> Said:
        """
        The message was refused before the door saw all of it; the reply may
        name what is written down of it.  Without an envelope, it was the
        connection that was refused.
        """

    def erred(session: Session, answer: Reply) -> None:
        """The client made a mistake; it is answered so, and is on no record."""

    def closed(session: Session, why: str) -> None:
        """The connection is gone, for the reason given."""


class IVisit(Interface):
    """
    One connection as one gate sees it.  It may be turned away at each step.

    The first five let pass with None, or return the reply to refuse by; where
    that takes time, a Deferred of either.  Each bounds its own time: what it
    cannot find out in time has a meaning of its own, written in the settings.
    To fail is a fault of ours and lets pass, for a broken gate must not refuse
    good mail.
    """

    def connected(session: Session) -> Answer:
        """Nothing was said to him yet."""

    def hello(session: Session) -> Answer:
        """EHLO or HELO."""

    def mail(session: Session, envelope: Envelope) -> Answer:
        """MAIL FROM."""

    def rcpt(session: Session, envelope: Envelope, forward: Forward) -> Answer:
        """RCPT TO, whoever that may be."""

    def message(session: Session, envelope: Envelope, body: Body) -> Answer:
        """The whole message is here, and nobody has looked at it yet."""

    def incoming(session: Session, incoming: IIncoming) -> IIncoming:
        """Where a body goes: there, or to something that passes it on."""

    def findings(envelope: Envelope) -> Sequence[Finding]:
        """What to say of a message from there, before any stage has looked."""

    def noted(session: Session, record: Record) -> None:
        """Something was written down of him: a message, a refusal."""

    def erred(session: Session, answer: Reply) -> None:
        """He made a mistake of syntax or order, and was answered so."""

    def closed() -> None:
        """The connection is gone."""


class IGate(Interface):
    """
    Stands before a door.

    Gates are asked in order, before the door is; the first that refuses ends
    it.
    """

    def visit(session: Session) -> IVisit | None:
        """Somebody comes; None when nothing of what he does is looked at."""


class IDestination(Interface):
    """
    Where messages end.  Doing the same consignment again is harmless.
    """

    name: str = Attribute("The word recipients know it by.")

    def deliver(
        consignments: Sequence[Consignment],
    ) -> Deferred[Sequence[Outcome]]:
        """
        Take a batch; fires when what is DELIVERED or HELD is synced.

        @return: one outcome for each, in any order.
        """


class ICounters(Interface):
    """
    Keeps what accounts have used: for one box, or for several together.

    Every method may fail when it cannot be known or written down; then nothing
    may be sent for now.
    """

    trouble: str = Attribute("What is wrong, a sentence for people; or nothing.")

    def spend(account: str, draws: Sequence[Draw]) -> "Deferred[Taken | Excess]":
        """Draw all of it or nothing; no two draws see the same state."""

    def refund(account: str, taken: Taken) -> Deferred[None]:
        """What was drawn a moment ago was not used after all."""

    def used(account: str) -> "Deferred[Mapping[str, float]]":
        """What the rolling windows have, by the name of the meter."""

    def reset(account: str) -> Deferred[None]:
        """Begin anew; whom it wrote to is still known."""
