"""
From which of our addresses mail goes out.

A domain sees the same address of ours each time, as long as we have the same
ones: greylisting and reputation go by it.  What our users did not write
themselves, bounces and forwards, may have addresses of its own, for that is
what others complain of.
"""

from collections.abc import Callable, Iterable
from zlib import crc32

from attrs import frozen

from smfd.model.origin import ANYWHERE, Origin
from smfd.policy.srs import is_rewritten

#: Whether an address of ours has sent to a server (its name) all it may today.
Spent = Callable[[str, str], bool]


def never(host: str, source: str) -> bool:
    """It has not."""
    return False


@frozen
class Origins:
    """
    Our addresses; where none of a kind is named, the system chooses.

    @ivar mail: of our users' own mail.
    @ivar others: of bounces and forwards; none: the same.
    @ivar spent: where it has, another is chosen, if there is one that has not.
    """

    mail: tuple[Origin, ...] = ()
    others: tuple[Origin, ...] = ()
    spent: Spent = never

    @property
    def ipv6(self) -> bool:
        """Whether IPv6 is used: an address of ours is named, or none at all is."""
        named = (*self.mail, *self.others)
        return not named or any(":" in origin.address for origin in named)

    def of(self, site: str, address: str, own: bool, host: str = "") -> Origin:
        """
        The one for a domain's mail.

        @param address: the IP address of its server; "" when it is not known.
        @param own: our users wrote it.
        @param host: the name of the server.
        """
        chosen = self.mail if own else _of_kind(self.others, address) or self.mail
        kind = _of_kind(chosen, address)
        if not kind:
            return ANYWHERE
        number = crc32(site.encode(errors="replace"))
        first = kind[number % len(kind)]
        if not self.spent(host, first.address):
            return first
        fresh = [one for one in kind if not self.spent(host, one.address)]
        return fresh[number % len(fresh)] if fresh else first


def is_own(sender: str) -> bool:
    """Whether mail with this envelope sender is neither a bounce nor a forward."""
    return bool(sender) and not is_rewritten(sender.rpartition("@")[0])


def _of_kind(origins: Iterable[Origin], address: str) -> tuple[Origin, ...]:
    """Those of the same family as a server's address."""
    if not address:
        return ()
    six = ":" in address
    return tuple(o for o in origins if (":" in o.address) is six)
