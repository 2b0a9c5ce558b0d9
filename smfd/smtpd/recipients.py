"""
Whose mail it is: from the address in RCPT to the mailboxes behind it.

Standards: RFC 5321 §3.9 (aliases and lists), §4.5.1 (postmaster), §6.3 (loops),
RFC 3463 §3.3 and §3.5 (X.2.4, X.4.6).
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import TypeGuard

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from smfd.config.schema import Config
from smfd.delivery.onward import callout, srs
from smfd.model.directory import Known
from smfd.model.envelope import Forward
from smfd.model.finding import Finding, Result
from smfd.model.hop import Verification
from smfd.policy.address_book import Endless, Expansion
from smfd.policy.srs import SRS, Forged, is_rewritten
from smfd.proto.address import Address, reread
from smfd.proto.xtext import orcpt
from smfd.scan.callout import CallOut, Terms
from smfd.store.directory import Directory

#: The most mailboxes that one message may end in.
MAILBOXES = 10_000


class Standing(Enum):
    """What is known of a recipient at RCPT."""

    TAKEN = "taken"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"
    UNSURE = "unsure"
    ENDLESS = "endless"


@frozen
class Trouble:
    """Why a message cannot be had: code, status and text of the reply."""

    code: int
    status: str
    text: str


GONE = Trouble(450, "4.2.1", "A mailbox is gone since, try again")
ENDLESS = Trouble(451, "4.2.4", "An alias here cannot be followed, try again later")
TOO_MANY = Trouble(452, "4.5.3", "Too many mailboxes for one message")
LOOP = Trouble(554, "5.4.6", "It was delivered here before, this is a loop")


@frozen
class Ends:
    """
    Where a message goes.

    @ivar forwards: each mailbox once.
    @ivar shares: the mailboxes of each recipient of the envelope, in order.
    @ivar named: the recipients that are none of these mailboxes, but lead there.
    @ivar findings: what is to be said of it.
    @ivar trouble: why it cannot be had; then there is nothing else.
    """

    forwards: tuple[Forward, ...] = ()
    shares: tuple[tuple[str, ...], ...] = ()
    named: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    trouble: Trouble | None = None


#: A recipient, and the mailboxes he stands for.
Way = tuple[Forward, Sequence[Forward]]


@frozen
class Recipients:
    """
    @ivar callout: asks the next hops of domains that are verified so.
    @ivar srs: knows the senders that we made for others' mail.
    @ivar most: how many addresses one recipient may stand for.
    @ivar deep: how many aliases may stand one behind the other.
    """

    directory: Directory
    callout: CallOut
    srs: SRS
    clock: IReactorTime
    most: int = 1000
    deep: int = 10
    mailboxes: int = MAILBOXES

    def is_plain(self, address: Address) -> bool:
        """Whether it is known already as a mailbox that stands for itself."""
        there = self.directory.remembered(str(address))
        return there is not None and _is_mailbox(there[0])

    def standing(self, address: Address) -> Deferred[Standing]:
        """Whether mail for an address is taken."""
        return Deferred.fromCoroutine(self._followed(address))

    async def ends(self, wanted: Sequence[Forward], passed: Iterable[bytes]) -> Ends:
        """
        The mailboxes behind the recipients, each of them once.

        @param passed: the mailboxes it was delivered to before.
        """
        found: dict[str, Forward] = {}
        shares = []
        ways: list[Way] = []
        far = 0
        try:
            for forward in wanted:
                own = self._at_once(forward) or await self._ends(forward)
                if not own:
                    return Ends(trouble=GONE)
                kept = [found.setdefault(_key(end), end) for end in own]
                far += sum(len(end.beyond) for end in own)
                if len(found) + far > self.mailboxes:
                    return Ends(trouble=TOO_MANY)
                shares.append(tuple([str(end.address) for end in kept]))
                if own[0] is not forward or len(own) > 1:
                    ways.append((forward, own))
        except Endless:
            return Ends(trouble=ENDLESS)
        ends = _without_loops(tuple(found.values()), tuple(shares), passed)
        return _told(ends, ways) if ways else ends

    async def behind(self, address: Address) -> Sequence[Address]:
        """
        Who gets what we write to an address: it itself where it is not ours,
        else the mailboxes behind it, or where their mail goes on to; nobody when
        there is none.
        """
        meant = reread(await self._name(address))
        if not await self.directory.is_hosted(meant.domain):
            return (meant,)
        try:
            ends = await self._ends(Forward(meant))
        except Endless:
            return ()
        return [to for end in ends for to in _kept_by(end)]

    def _at_once(self, forward: Forward) -> Sequence[Forward]:
        """A mailbox that stands for itself, when that is known already."""
        name = str(forward.address)
        there = self.directory.remembered(name)
        if there is None or not _is_mailbox(there[0]):
            return ()
        return (_end(forward, name, there[0], True),)

    async def _ends(self, forward: Forward) -> Sequence[Forward]:
        name = await self._name(forward.address)
        known = await self.directory.known(name)
        if known is None or known.targets:
            expansion = await self._expanded(name)
            found = expansion.ends.values()
            if not found and is_rewritten(forward.address.local):
                return await self._back(forward, name)
            first = known.address if known else ""
            return [
                _onward(_end(forward, name, k, k.address == first), k) for k in found
            ]
        return (_onward(_end(forward, name, known, True), known),)

    async def _back(self, forward: Forward, name: str) -> Sequence[Forward]:
        """To whom a sender of ours stands for, if others have him."""
        if await self.directory.is_hosted(name.rpartition("@")[2]):
            return ()
        return (evolve(forward, beyond=(name,), keep=False),)

    async def _expanded(self, name: str) -> Expansion:
        expansion = Expansion(self.most, self.deep)
        expansion.follow(name)
        while (address := expansion.next()) is not None:
            expansion.tell(await self.directory.known(address))
        expansion.close()
        return expansion

    async def _followed(self, address: Address) -> Standing:
        name = await self._name(address)
        try:
            expansion = await self._expanded(name)
        except Endless:
            return Standing.ENDLESS
        ends = tuple(expansion.ends.values())
        if not ends:
            return await self._nobody(address, name, expansion)
        # A list is its owner's affair: only who stands for himself is asked for.
        return await self._asked(ends[0], name) if len(ends) == 1 else Standing.TAKEN

    async def _nobody(
        self, address: Address, name: str, expansion: Expansion
    ) -> Standing:
        if expansion.lost != [name.lower()]:
            # An alias that leads nowhere is our fault, and can be mended.
            return Standing.ENDLESS
        if await self.directory.is_hosted(name.rpartition("@")[2]):
            return Standing.UNKNOWN
        # A sender that we made for others' mail: what comes back goes to them.
        return Standing.FOREIGN if name == str(address) else Standing.TAKEN

    async def _asked(self, known: Known, name: str) -> Standing:
        domain = known.domain
        if known.held or domain.verify != "callout":
            return Standing.TAKEN
        if domain.next_hop is None:
            return Standing.UNSURE
        # RFC 5321 §2.4: the letters of a local part are as they were given.
        written = name if name.lower() == known.address else known.address
        said = await self.callout.ask(domain.next_hop, written)
        return _SAID[said]

    async def _name(self, address: Address) -> str:
        """The address to look for, when another is meant than is written."""
        if not address.domain:
            # RFC 5321 §4.5.1: <postmaster> is the first domain's.
            first = (await self.directory.domains(limit=1)).items
            return f"postmaster@{first[0].name}" if first else ""
        name = str(address)
        if not is_rewritten(address.local):
            return name
        if await self.directory.known(name) is not None:
            return name
        if not await self.directory.is_hosted(address.domain):
            return name
        try:
            return str(self.srs.reverse(address.local, self.clock.seconds()))
        except Forged:
            return name


_SAID = {
    Verification.KNOWN: Standing.TAKEN,
    Verification.UNKNOWN: Standing.UNKNOWN,
    Verification.UNSURE: Standing.UNSURE,
}


def recipients(config: Config, directory: Directory, clock: IReactorTime) -> Recipients:
    """
    As the settings say, with the secret of the home.

    @raise SystemExit: the secret can neither be read nor made.
    """
    settings = config.recipients
    terms = Terms(
        positive=settings.known_for,
        negative=settings.unknown_for,
        timeout=settings.timeout,
        size=settings.answers,
        at_once=settings.questions,
    )
    return Recipients(
        directory,
        CallOut(callout(config, clock).verify, clock, terms),
        srs(config),
        clock,
        settings.expansion,
        settings.depth,
    )


def _is_mailbox(known: Known | None) -> TypeGuard[Known]:
    """Whether it stands for itself, and for nobody else."""
    return (
        known is not None
        and known.account is not None
        and not (known.targets or known.beyond)
    )


def _end(forward: Forward, name: str, known: Known, direct: bool) -> Forward:
    """
    The recipient as its mailbox, with what the client asked for it.

    @param name: the address that was looked for.
    @param direct: no alias stands between the two.
    """
    if known.address == str(forward.address):
        return forward
    asked = name.lower()
    if direct and not known.held:
        return forward if name == str(forward.address) else _at(forward, name)
    if direct and known.address != asked:
        return evolve(_at(forward, known.address), tagged=asked)
    # RFC 3461 §5.2.7.2: whoever is told what became of it knows this name.
    end = _at(forward, known.address)
    return end if end.orcpt else evolve(end, orcpt=orcpt(str(forward.address)))


def _kept_by(end: Forward) -> Iterator[Address]:
    """Who has its mail in the end: nobody looks where no copy is kept."""
    if end.keep or not end.beyond:
        yield end.address
    yield from map(reread, end.beyond)


def _onward(end: Forward, known: Known) -> Forward:
    """With where it goes from there."""
    if not known.beyond:
        return end
    return evolve(end, beyond=known.beyond, keep=known.keep)


def _at(forward: Forward, name: str) -> Forward:
    return evolve(forward, address=reread(name))


def _is_same(end: Forward, forward: Forward) -> bool:
    """The very mailbox, with a tag or in other letters perhaps."""
    return bool(end.tagged) or _key(end) == _key(forward)


def _told(ends: Ends, ways: Sequence[Way]) -> Ends:
    """With who was asked for, for whoever looks for the message later."""
    named = [str(f.address) for f, own in ways if _key(f) not in map(_key, own)]
    led = [
        f"{forward.address}: {' '.join(str(end.address) for end in own)}"
        for forward, own in ways
        if len(own) > 1 or not _is_same(own[0], forward)
    ]
    if not led:
        return evolve(ends, named=tuple(named))
    finding = Finding(
        "recipients",
        "ALIAS",
        Result.PASS,
        reason="some recipients stand for other mailboxes",
        evidence="; ".join(led[:20])[:1000],
    )
    return evolve(ends, named=tuple(named), findings=(*ends.findings, finding))


def _key(end: Forward) -> str:
    return str(end.address).lower()


def _without_loops(
    forwards: tuple[Forward, ...],
    shares: tuple[tuple[str, ...], ...],
    passed: Iterable[bytes],
) -> Ends:
    """
    Whoever has a message already does not get it again.

    When others are left, only he is left out: his copy says that he has it.
    """
    # Our own Delivered-To on top of what is delivered.
    before = {value.decode("utf-8", "replace").strip().lower() for value in passed}
    if not before:
        return Ends(forwards, shares)
    left = tuple(f for f in forwards if (f.tagged or _key(f)).lower() not in before)
    if not left:
        return Ends(trouble=LOOP)
    if len(left) == len(forwards):
        return Ends(forwards, shares)
    had = ", ".join(str(f.address) for f in forwards if f not in left)
    finding = Finding(
        "recipients",
        "DELIVERED_BEFORE",
        Result.PASS,
        reason="who has it already does not get it again",
        evidence=had[:500],
    )
    return Ends(left, shares, findings=(finding,))
