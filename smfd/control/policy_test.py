"""
May A write to B?  Asked without a message (D9).

The rules see what they would see of a real one, as far as it is said; nothing
is sent and nothing is written down.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from smfd.control.house import Actor, Document, House
from smfd.control.times import moment, utc
from smfd.control.words import one_of
from smfd.model.directory import Refused
from smfd.model.rule import Addressee, Mail, Ruling
from smfd.model.verdict import CATEGORIES
from smfd.policy.address_book import Endless, Expansion
from smfd.policy.lists import parse_pattern
from smfd.policy.rule_fields import FIELDS, GROUP
from smfd.policy.rule_text import described

#: Recipients that one question may have, and members of a group that it means.
_MOST = 100


async def test(
    house: House,
    actor: Actor,
    *,
    sender: str,
    to: Sequence[str],
    authenticated: bool | None = None,
    author: str = "",
    subject: str = "",
    header: Sequence[str] = (),
    size: str = "",
    attachment: Sequence[str] = (),
    attachment_type: Sequence[str] = (),
    client: str = "",
    at: str = "",
    verdict: str = "",
) -> Document:
    """
    What the rules say of such a message, for each recipient, and which rule.

    @param sender: of the envelope; "<>" for a bounce.
    @param to: addresses; aliases are followed; C{group:NAME} means its members.
    @param authenticated: he is who he says; else hosted senders are, and have
        logged in.
    @param at: when; else now.
    """
    one_of(verdict, CATEGORIES, "verdict")
    name = "" if sender == "<>" else _address(sender)
    ours = await _is_hosted(house, name)
    known = ours if authenticated is None else authenticated
    way = _Way(house, ours and known)
    found = [one for text in to for one in await way.recipients(text)][:_MOST]
    letter = _Letter(
        author, subject, header, size, attachment, attachment_type, client, verdict
    )
    now = house.clock.seconds()
    time = moment(at, now, ahead=True)
    mail = letter.mail(name, found, now if time is None else time, known, way.own)
    book = await house.policies.rulebook()
    matching = {rule.name: described(rule) for rule in book.rules}
    return {
        "time": utc(mail.time),
        "authenticated": bool(mail.proven),
        "items": [
            _shown(ruling, one, matching)
            for one, ruling in zip(mail.recipients, book.judge(mail), strict=True)
        ],
    }


@frozen
class _Letter:
    """What is said of the message itself."""

    author: str
    subject: str
    header: Sequence[str]
    size: str
    attachment: Sequence[str]
    attachment_type: Sequence[str]
    client: str
    verdict: str

    def mail(
        self, name: str, to: Sequence[Addressee], time: float, known: bool, own: bool
    ) -> Mail:
        """The message as rules see it."""
        return Mail(
            name,
            tuple(to),
            time,
            name if own else "",
            _address(self.author) if self.author else name,
            frozenset({name}) if known and name else frozenset(),
            _read("network", self.client).partition("/")[0] if self.client else "",
            self.subject,
            tuple(map(_field, self.header)),
            int(_read("size_over", self.size)) if self.size else 0,
            tuple(self.attachment),
            tuple(word.lower() for word in self.attachment_type),
            {one.address: self.verdict for one in to} if self.verdict else {},
        )


@frozen
class _Way:
    """
    From the sender to recipients.

    @ivar own: one of our users sends, who logged in.
    """

    house: House
    own: bool

    async def recipients(self, text: str) -> Sequence[Addressee]:
        """Those that a word stands for."""
        if text.lower().startswith(GROUP):
            found = await self.house.groups.members(text[len(GROUP) :], _MOST)
            if not found.items:
                raise Refused("conflict", f"{text} has no members.")
            return [await self._addressee(one, ()) for one in found.items]
        name = _address(text)
        if not await _is_hosted(self.house, name):
            return [await self._addressee(name, ())]
        ends = await self._ends(name)
        return [
            await self._addressee(end, (name,) if end != name else ()) for end in ends
        ]

    async def _ends(self, name: str) -> Sequence[str]:
        expansion = Expansion(_MOST)
        try:
            expansion.follow(name)
            while (address := expansion.next()) is not None:
                expansion.tell(await self.house.directory.known(address))
            expansion.close()
        except Endless as why:
            raise Refused("conflict", f"Mail for {name} does not end: {why}.") from None
        if not expansion.ends:
            raise Refused("unknown", f"{name} does not exist.")
        return tuple(expansion.ends)

    async def _addressee(self, name: str, named: tuple[str, ...]) -> Addressee:
        if not self.own:
            return Addressee(name, "inbound", named)
        ours = await _is_hosted(self.house, name)
        return Addressee(name, "local" if ours else "outbound", named)


async def _is_hosted(house: House, address: str) -> bool:
    return bool(address) and await house.directory.is_hosted(address.rpartition("@")[2])


def _address(text: str) -> str:
    try:
        pattern = parse_pattern(text)
    except ValueError as wrong:
        raise Refused("invalid", str(wrong)) from None
    if not pattern.local:
        raise Refused("invalid", f"{text[:80]!r} is not an address.")
    return str(pattern)


def _read(about: str, text: str) -> str:
    """A value as a rule would have it."""
    try:
        return FIELDS[about].parse(text)
    except ValueError as wrong:
        raise Refused("invalid", str(wrong)) from None


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise Refused("invalid", f"{line[:60]!r} is not like List-Id: news.")
    return name.strip().lower(), value.strip()


def _shown(
    ruling: Ruling, to: Addressee, matching: Mapping[str, str]
) -> dict[str, object]:
    return {
        "recipient": ruling.recipient,
        "named": list(to.named),
        "direction": to.direction,
        "action": ruling.action,
        "rule": ruling.rule,
        "matches": matching.get(ruling.rule, "everything"),
        "text": ruling.text,
        "redirect": ruling.redirect,
        "approvers": list(ruling.approvers),
        "add_header": ruling.header,
        "notify": list(ruling.notify),
    }
