"""
Letting a held message through (C18).

A release is a new entry that takes the held item's place in one commit of the
ledger: however many people click, it reaches the mailbox once.

Standards: RFC 5321 §4.4 (Return-Path).
"""

import os
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from smfd.control.approvals import acting
from smfd.control.held import decided, existing
from smfd.control.house import Actor, Document, House
from smfd.delivery.renewal import Renewal
from smfd.format.header import Header, read_header
from smfd.format.received import date, delivered
from smfd.model.directory import Refused
from smfd.model.entry import DESTINATIONS, REMOTE, Entry, Recipient
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.model.verdict import Disposition, Fate
from smfd.policy.forwarded import with_forwards
from smfd.policy.srs import is_rewritten
from smfd.proto.address import reread
from smfd.store.ledger import AlreadyDecided

#: Categories that only the operator may let go, by force and with a reason.
_DANGEROUS = frozenset({"virus", "unscanned"})
_LONGEST_REASON = 500
#: Beginnings of fields that the doors put on top for one recipient.
_OURS = ("return-path", "x-spam-", "x-smfd-")
#: What a header has at most that any setting lets in, and what we put above it.
_LARGEST_HEADER, _MOST_FIELDS = 5_242_880, 21_000

#: Seconds for the fresh look.
_PATIENCE = 60.0

_NOT_NOW = "It cannot be scanned for viruses just now."
_UNSCANNED = Finding(
    "virus", "VIRUS_NOT_SCANNED", Result.PASS, reason="the virus stage is left out"
)


@frozen
class _Release:
    """
    One release under way.

    @ivar item: the held item, as the reader tells it.
    @ivar name: the id of the new entry.
    @ivar forced: dangerous or not.
    """

    house: House
    actor: Actor
    item: dict[str, Any]
    name: str
    forced: bool
    reason: str

    _log = Logger()

    async def run(self) -> Entry:
        """Commit the new entry in the item's place."""
        house, item = self.house, self.item
        path = os.path.join(house.home, item["path"])
        body = await house.spool.adopt(self.name, path)
        try:
            finding = await self._look(body)
            origin = await house.reader.record(item["id"].rpartition("-")[0])
            destination = await self._destination()
            record = self._record(origin, body, finding)
            forward = await self._forward(destination)
            entry = self._entry(body, destination, record, forward)
            entry = await self._proven(entry)
            await house.spool.sync(body)
        except BaseException:
            house.spool.discard(body)
            raise
        try:
            await house.ledger.commit(entry, item["id"], self.actor.name)
        except AlreadyDecided:
            house.spool.discard(body)
            raise decided(item["id"]) from None
        return entry

    async def _look(self, body: Body) -> Finding:
        """A fresh look with today's signatures."""
        stage = self.house.virus
        if stage is None:
            return _UNSCANNED
        try:
            d = maybeDeferred(stage.scan, self._transaction(body))
            found = (await d.addTimeout(_PATIENCE, self.house.clock))[0]
        except Exception as error:
            self._log.failure("release: cannot scan {item}", item=self.item["id"])
            found = Finding("virus", "VIRUS_ERROR", Result.ERROR, reason=_NOT_NOW)
            if not self.forced:
                raise Refused("conflict", _NOT_NOW, "Try again.") from error
        if found.result is not Result.PASS and not self.forced:
            raise _dangerous(f"A fresh look says: {found.reason or found.symbol}.")
        return found

    def _transaction(self, body: Body) -> Transaction:
        """What a stage wants to see; only the body matters."""
        return Transaction(
            self.name,
            Flow.INBOUND,
            self.house.clock.seconds(),
            Session(self.name, "", 0, 0.0),
            Envelope(self.name, None),
            body,
            Header((), 0),
        )

    async def _destination(self) -> str:
        """Where the mail of the recipient's domain goes."""
        name = self.item["recipient"].rpartition("@")[2]
        domain = await self.house.directory.domain(name)
        if domain is None and name != self.item["domain"]:
            return REMOTE
        return DESTINATIONS[domain.kind if domain else "local"]

    async def _forward(self, destination: str) -> Forward:
        """Where its recipient's mail goes on to now, if it does."""
        name = self.item["recipient"]
        known = await self.house.directory.known(name)
        forward = Forward(reread(name), tagged=await self._tagged())
        if known is not None and known.beyond:
            return evolve(forward, beyond=known.beyond, keep=known.keep)
        # An alias has no mailbox, and never had; nor has a sender of forwards.
        alias = known is not None and bool(known.targets) and not known.keep
        ours = known is None and is_rewritten(forward.address.local)
        if destination == "maildir" and (alias or ours):
            raise Refused(
                "conflict",
                f"{name} has no mailbox, and leads nowhere that it could go to.",
                "Make one, or lead it elsewhere; or look at it with: quarantine show.",
            )
        return forward

    async def _tagged(self) -> str:
        """Its mailbox as it was written, with its tag; or ""."""
        top = read_header(self.item["top"])
        said = top.first("delivered-to").decode("utf-8", "replace").strip()
        known = await self.house.directory.known(said) if said else None
        is_it = known is not None and known.address == self.item["recipient"]
        return said if is_it else ""

    def _entry(
        self, body: Body, destination: str, record: Record, forward: Forward
    ) -> Entry:
        address, sender = self.item["recipient"], self.item["sender"]
        now = self.house.clock.seconds()
        why = record.fates[0].reason
        keeper = self.item["domain"]
        recipient = Recipient(
            1,
            address,
            destination,
            "released",
            why,
            top=self._top(destination, forward, now),
            keeper=keeper,
            notify=self.item["notify"],
            orcpt=self.item["orcpt"],
        )
        recipients = with_forwards((recipient,), (forward,))
        return Entry(
            self.name,
            now,
            sender,
            body,
            b"",
            (),
            recipients,
            record,
            record.account,
            self.item["asked"],
        )

    def _top(self, destination: str, forward: Forward, now: float) -> bytes:
        """What mail policies put on top for its recipient, and what we say now."""
        item = self.item
        ruled = _without(item["top"], _OURS)
        if destination == REMOTE:
            # As if it had never been held; and a forward that comes back has
            # been here.
            return ruled
        mark = f"X-Smfd-Released: {item['id']}; {date(now)}\r\n"
        top = mark.encode() + _without(ruled, ("delivered-to",))
        if destination == "maildir":
            top = delivered(item["sender"], forward.tagged or item["recipient"]) + top
        return top

    async def _proven(self, entry: Entry) -> Entry:
        """With a signature, or a seal, of today, if it leaves."""
        signer = self.house.signer
        if signer is None:
            return entry
        head = await self.house.spool.head(entry.body, _LARGEST_HEADER)
        header = read_header(head, _LARGEST_HEADER, _MOST_FIELDS)
        return await Renewal(signer, header).of(entry)

    def _record(
        self, origin: dict[str, Any] | None, body: Body, finding: Finding
    ) -> Record:
        item, seen = self.item, (origin or {}).get("record", {})
        how = " by force" if self.forced else ""
        why = f"released{how} from the quarantine ({item['id']}) by {self.actor.name}"
        if self.reason:
            why += f": {self.reason}"
        fate = Fate(item["recipient"], Disposition.DELIVER, "released", why)
        return Record(
            id=self.name,
            kind="message",
            time=self.house.clock.seconds(),
            flow=seen.get("flow", Flow.INBOUND.value),
            client=seen.get("client", ""),
            helo=seen.get("helo", ""),
            tls="",
            sender=item["sender"],
            recipients=(item["recipient"],),
            verdict="released",
            reply="",
            subject=item["subject"],
            header_from=seen.get("header_from", ""),
            message_id=seen.get("message_id", ""),
            size=body.size,
            findings=(finding,),
            fates=(fate,),
            account=seen.get("account", ""),
        )


async def release(
    house: House,
    actor: Actor,
    *,
    id: str,  # noqa: A002
    force: bool = False,
    reason: str = "",
    approver: str = "",
) -> Document:
    """
    Let an item through to its mailbox, after a fresh look for viruses.

    What carries a virus, or could not be scanned, only the operator lets go,
    with C{force} and a reason.

    @param approver: who has to approve of it, and does.
    """
    forced = _forced(Actor(approver, "approver") if approver else actor, force, reason)
    item = await existing(house, id)
    actor = await acting(house, actor, item, approver)
    if item["class"] in _DANGEROUS and not forced:
        raise _dangerous(f"It is held because: {item['reason']}.")
    entry = await _Release(
        house, actor, item, house.ids(), forced, reason.strip()
    ).run()
    house.take(entry)
    detail = f"as {entry.id}{', by force' if forced else ''}. {reason}"
    await house.ledger.audit(actor.name, "release", id, detail.strip())
    return {"id": id, "released": entry.id, "recipient": item["recipient"]}


def _without(top: bytes, names: tuple[str, ...]) -> bytes:
    """Header lines but those that begin so: they are said anew, or are over."""
    header = read_header(top)
    return b"".join(
        top[found.start : found.end]
        for found, name in zip(header.fields, header.names, strict=True)
        if not name.startswith(names)
    )


def _forced(actor: Actor, force: bool, reason: str) -> bool:
    if len(reason) > _LONGEST_REASON:
        raise Refused("invalid", f"A reason has at most {_LONGEST_REASON} characters.")
    if force and actor.role != "operator":
        raise Refused("conflict", "Only the operator can force a release.")
    if force and not reason.strip():
        raise Refused("invalid", "A forced release needs a reason.")
    return force


def _dangerous(sentence: str) -> Refused:
    return Refused(
        "conflict", sentence, 'The operator can force it: --force --reason "...".'
    )
