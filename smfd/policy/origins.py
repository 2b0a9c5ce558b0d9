"""
From which of our addresses mail goes out.

A domain sees the same address of ours each time, as long as we have the same
ones: greylisting and reputation go by it.  What our users did not write
themselves, bounces and forwards, may have addresses of its own, for that is
what others complain of.
"""

from collections.abc import Iterable
from zlib import crc32

from attrs import frozen

from smfd.model.origin import ANYWHERE, Origin
from smfd.policy.srs import is_rewritten


@frozen
class Origins:
    """
    Our addresses; where none of a kind is named, the system chooses.

    @ivar mail: of our users' own mail.
    @ivar others: of bounces and forwards; none: the same.
    """

    mail: tuple[Origin, ...] = ()
    others: tuple[Origin, ...] = ()

    @property
    def ipv6(self) -> bool:
        """Whether IPv6 is used: an address of ours is named, or none at all is."""
        named = (*self.mail, *self.others)
        return not named or any(":" in origin.address for origin in named)

    def of(self, site: str, address: str, own: bool) -> Origin:
        """
        The one for a domain's mail.

        @param address: the IP address of its server; "" when it is not known.
        @param own: our users wrote it.
        """
        chosen = self.mail if own else _of_kind(self.others, address) or self.mail
        kind = _of_kind(chosen, address)
        return (
            kind[crc32(site.encode(errors="replace")) % len(kind)] if kind else ANYWHERE
        )


def is_own(sender: str) -> bool:
    """Whether mail with this envelope sender is neither a bounce nor a forward."""
    return bool(sender) and not is_rewritten(sender.rpartition("@")[0])


def _of_kind(origins: Iterable[Origin], address: str) -> tuple[Origin, ...]:
    """Those of the same family as a server's address."""
    if not address:
        return ()
    six = ":" in address
    return tuple(o for o in origins if (":" in o.address) is six)
