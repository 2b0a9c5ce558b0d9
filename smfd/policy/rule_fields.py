"""
What the conditions of mail policies look at, and how their values are written.

Each field reads a value into the one form that is stored, makes a test of the
values of a condition, and knows when what one value matches another matches
too.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from ipaddress import ip_network
from typing import Protocol

from attrs import define, frozen

from smfd.model.rule import DIRECTIONS, FILE_TYPES, Addressee, Mail
from smfd.model.verdict import CATEGORIES
from smfd.policy.lists import keys, parse_pattern
from smfd.policy.networks import networks, within
from smfd.policy.office_hours import parse_hours

#: What groups are written with.
GROUP = "group:"
#: The sender of bounces.
NOBODY = "<>"

#: The members of the groups that somebody speaks of, by name.
Groups = Mapping[str, frozenset[str]]

_LONGEST = 300
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_AMOUNT = re.compile(r"(\d{1,12})\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_WILD = re.compile(r"[*?]")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,100}")


@define
class Sender:
    """Who sent a message, worked out once however many rules ask."""

    mail: Mail
    _said: frozenset[str] | None = None
    _proven: frozenset[str] | None = None

    def patterns(self, proven: bool) -> frozenset[str]:
        """All that match who he proved to be, or who he says he is."""
        if proven:
            if self._proven is None:
                self._proven = self._about(self.mail.proven)
            return self._proven
        if self._said is None:
            mail = self.mail
            said = (mail.sender, mail.account, mail.author, *mail.proven)
            self._said = self._about(said)
        return self._said

    def _about(self, addresses: Iterable[str]) -> frozenset[str]:
        found = _about(addresses)
        # Who says to be nobody cannot prove it; rules name him in so many words.
        return found if self.mail.sender else found | {NOBODY}


@define
class Case:
    """One message for one recipient."""

    sender: Sender
    to: Addressee
    _patterns: frozenset[str] | None = None

    @property
    def mail(self) -> Mail:
        """The message."""
        return self.sender.mail

    def recipient(self) -> frozenset[str]:
        """All patterns that match whom it is for."""
        if self._patterns is None:
            self._patterns = _about((self.to.address, *self.to.named))
        return self._patterns


Test = Callable[[Case], bool]


def _about(addresses: Iterable[str]) -> frozenset[str]:
    """The patterns that match one of the addresses, without its tag too."""
    bare = dict.fromkeys(one.lower() for one in addresses if one)
    return frozenset(keys(*bare, *map(_untagged, bare)))


def _untagged(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


class Field(Protocol):
    """One thing a condition may be about."""

    def parse(self, text: str) -> str:
        """
        A value as it is stored.

        @raise ValueError: with a sentence that says what is wrong.
        """

    def test(self, values: tuple[str, ...], groups: Groups, proven: bool) -> Test:
        """Whether one of the values fits; C{proven}: who sent it must be sure."""

    def covers(self, wide: str, narrow: str) -> bool:
        """Whether all that C{narrow} fits, C{wide} fits."""


@frozen
class Words:
    """One of some words."""

    words: tuple[str, ...]
    of: Callable[[Case], str]

    def parse(self, text: str) -> str:
        """The word."""
        word = text.strip().lower()
        if word not in self.words:
            raise ValueError(
                f"{text[:40]!r} is none of these: {', '.join(self.words)}."
            )
        return word

    def test(self, values: tuple[str, ...], groups: Groups, proven: bool) -> Test:
        """Whether it is one of them."""
        wanted, of = frozenset(values), self.of
        return lambda case: of(case) in wanted

    def covers(self, wide: str, narrow: str) -> bool:
        """Only itself."""
        return wide == narrow


@frozen
class Who:
    """Addresses, domains and groups."""

    sends: bool

    def parse(self, text: str) -> str:
        """An address, a domain, C{*.domain}, C{group:NAME}; for senders C{<>}."""
        written = text.strip()
        if written.lower().startswith(GROUP):
            name = str(parse_pattern(written[len(GROUP) :]))
            if "@" not in name:
                raise ValueError(f"A group is called NAME@DOMAIN, not {name}.")
            return GROUP + name
        if self.sends and written == NOBODY:
            return NOBODY
        return str(parse_pattern(written))

    def test(self, values: tuple[str, ...], groups: Groups, proven: bool) -> Test:
        """Whether somebody is one of them."""
        wanted = frozenset(value for value in values if not value.startswith(GROUP))
        for value in values:
            if value.startswith(GROUP):
                wanted |= groups.get(value.removeprefix(GROUP), frozenset())
        if self.sends:
            return lambda case: not wanted.isdisjoint(case.sender.patterns(proven))
        return lambda case: not wanted.isdisjoint(case.recipient())

    def covers(self, wide: str, narrow: str) -> bool:
        """A domain has its addresses, and C{*.domain} all below."""
        if wide == narrow:
            return True
        if narrow.startswith("*."):
            return wide.startswith("*.") and narrow.endswith(wide[1:])
        if "@" in narrow and not narrow.startswith(GROUP):
            return wide in keys(narrow)
        return wide.startswith("*.") and wide in keys(f"x@{narrow}")


@frozen
class Network:
    """Where the client is."""

    def parse(self, text: str) -> str:
        """An IP address, or a network."""
        try:
            return str(ip_network(text.strip(), strict=False))
        except ValueError:
            raise ValueError(
                f"{text[:60]!r} is no network: write 192.0.2.0/24."
            ) from None

    def test(self, values: tuple[str, ...], groups: Groups, proven: bool) -> Test:
        """Whether it is in one of them."""
        nets = networks(values)
        return lambda case: within(case.mail.client, nets)

    def covers(self, wide: str, narrow: str) -> bool:
        """A larger network has the smaller one."""
        large, small = ip_network(wide), ip_network(narrow)
        if large.version != small.version:
            return False
        return large.supernet_of(small)  # type: ignore[arg-type]


@frozen
class Hours:
    """When it comes."""

    def parse(self, text: str) -> str:
        """See L{parse_hours}."""
        return str(parse_hours(text))

    def test(self, values: tuple[str, ...], groups: Groups, proven: bool) -> Test:
        """Whether it is then."""
        hours = tuple(parse_hours(value) for value in values)
        return lambda case: any(one.holds(case.mail.time) for one in hours)

    def covers(self, wide: str, narrow: str) -> bool:
        """Only itself: clocks are put forward and back."""
        return wide == narrow


@frozen
class Glob:
    """Text; C{*} stands for anything and C{?} for one character."""

    of: Callable[[Case], Iterable[str]]
    whole: bool

    def parse(self, text: str) -> str:
        """The pattern in lower case."""
        written = text.strip().lower()
        if not written or len(written) > _LONGEST or not written.isprintable():
            raise ValueError(f"A pattern has 1 to {_LONGEST} printable characters.")
        return written

    def test(self, values: tuple[str, ...], groups: Groups, proven: bool) -> Test:
        """Whether one of the texts fits one of the patterns."""
        match, of = _globs(values, self.whole), self.of
        return lambda case: any(match(text.lower()) for text in of(case))

    def covers(self, wide: str, narrow: str) -> bool:
        """Itself; and a star all."""
        return wide in (narrow, "*")


@frozen
class HeaderField:
    """A header field, C{Name: pattern}."""

    def parse(self, text: str) -> str:
        """The name in lower case, and the pattern."""
        name, _, pattern = text.strip().lower().partition(":")
        name, pattern = name.strip(), pattern.strip() or "*"
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{text[:60]!r} is not like List-Id: *example*.")
        if len(pattern) > _LONGEST or not pattern.isprintable():
            raise ValueError(f"A pattern has 1 to {_LONGEST} printable characters.")
        return f"{name}: {pattern}"

    def test(self, values: tuple[str, ...], groups: Groups, proven: bool) -> Test:
        """Whether there is such a field."""
        wanted = tuple(
            (name, _globs((pattern,), False))
            for name, _, pattern in (value.partition(": ") for value in values)
        )
        return lambda case: any(
            name == own and match(value.lower())
            for own, value in case.mail.header
            for name, match in wanted
        )

    def covers(self, wide: str, narrow: str) -> bool:
        """Itself; and any value of that name."""
        return wide in (narrow, f"{narrow.partition(':')[0]}: *")


@frozen
class Over:
    """A number that something is greater than."""

    of: Callable[[Case], int]

    def parse(self, text: str) -> str:
        """A number, C{500K} or C{10M}."""
        found = _AMOUNT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text[:40]!r} is no number: write 20, 500K or 10M.")
        return str(int(found[1]) * _UNITS[found[2].lower()])

    def test(self, values: tuple[str, ...], groups: Groups, proven: bool) -> Test:
        """Whether it is greater than one of them."""
        least, of = min(map(int, values)), self.of
        return lambda case: of(case) > least

    def covers(self, wide: str, narrow: str) -> bool:
        """The smaller number has the greater."""
        return int(wide) <= int(narrow)


def is_file_type(value: str) -> bool:
    """Whether there may be files of such a type: misspelt, it matches none."""
    return value in FILE_TYPES or "/" in value or bool(_WILD.search(value))


def _globs(patterns: tuple[str, ...], whole: bool) -> Callable[[str], bool]:
    """What matches one of them: all of a text, or, without wildcards, some."""
    plain = frozenset(p for p in patterns if not _WILD.search(p))
    wild = [p for p in patterns if p not in plain]
    # Of thousands of names, nearly all are looked at for their endings.
    endings = [p for p in wild if p[0] == "*" and not _WILD.search(p[1:])]
    ends = tuple(p[1:] for p in endings)
    # Stars become atomic groups: linear in the text, for each star.
    others = [translate(p.replace("[", "[[]")) for p in wild if p not in endings]
    find = re.compile("|".join(others)).match if others else None

    def match(text: str) -> bool:
        if text in plain or text.endswith(ends):
            return True
        if not whole and any(p in text for p in plain):
            return True
        return find is not None and find(text) is not None

    return match


def _known(case: Case) -> str:
    return "yes" if case.mail.proven else "no"


def _verdict(case: Case) -> str:
    return case.mail.verdict.get(case.to.address, "clean")


#: Everything a condition may be about, in the order in which it is written.
FIELDS: Mapping[str, Field] = {
    "direction": Words(DIRECTIONS, lambda case: case.to.direction),
    "from": Who(sends=True),
    "to": Who(sends=False),
    "network": Network(),
    "authenticated": Words(("yes", "no"), _known),
    "verdict": Words(CATEGORIES, _verdict),
    "time": Hours(),
    "subject": Glob(lambda case: (case.mail.subject,), whole=False),
    "header": HeaderField(),
    "size_over": Over(lambda case: case.mail.size),
    "recipients_over": Over(lambda case: len(case.mail.recipients)),
    "attachment": Glob(lambda case: case.mail.files, whole=True),
    "attachment_type": Glob(lambda case: case.mail.types, whole=True),
}

#: Those that look at who sends to whom, and from where; the others look at
#: the message and the hour.
WHO = frozenset({"direction", "from", "to", "network", "authenticated"})

#: Those for which somebody has to look into the message.
INSIDE = frozenset({"attachment", "attachment_type"})
