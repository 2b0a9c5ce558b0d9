"""
The Sender Rewriting Scheme: a forwarded message has a sender of ours, and what
is sent back to it finds the way.

C{SRS0=hash=time=domain=local} is an address that we forwarded for;
C{SRS1=hash=first==rest} one that somebody else had rewritten before us.  Only
who knows the secret can make either, and SRS0 for some weeks only.

Standards: RFC 5321 §4.5.3.1.1 (the length of a local part).
"""

import hmac
import re
from base64 import b32encode

from attrs import field, frozen

from smfd.proto.address import LOCAL_OCTETS, Address

#: 40 bits of an HMAC: too many to guess through a mail server.
_HASH = 8
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#: Two digits of base 32 count days, and begin anew after this many.
_ROUND = 32 * 32
_DAY = 86400

_SRS0 = re.compile(r"SRS0[=+-]([A-Z2-7]{8})=([A-Z2-7]{2})=([^=]+)=(.+)", re.I | re.S)
_SRS1 = re.compile(r"SRS1[=+-]([A-Z2-7]{8})=([^=]+)=([=+-].+)", re.I | re.S)
_OTHER0 = re.compile(r"SRS0([=+-].+)", re.I | re.S)
_OTHER1 = re.compile(r"SRS1[=+-][^=]*=([^=]+)=([=+-].+)", re.I | re.S)


class Forged(Exception):
    """The address is not one that we made, or not any more."""


class TooLong(Exception):
    """The rewritten address would have more octets than a local part may."""


def is_rewritten(local: str) -> bool:
    """Whether a local part looks like one of this scheme."""
    return local[:5].upper() in _BEGINNINGS


_BEGINNINGS = frozenset(f"SRS{n}{c}" for n in "01" for c in "=+-")


@frozen
class SRS:
    """
    @ivar secret: what only we know.
    @ivar days: for how long an answer may come.
    """

    secret: bytes = field(repr=False)
    days: int = 21

    def rewrite(self, sender: Address, domain: str, now: float) -> Address:
        """
        The sender of a message that is forwarded.

        @param domain: one that we host: what is sent back comes to us.
        @param now: seconds since the epoch.
        @raise TooLong: it does not fit.
        """
        local = self._again(sender) or self._first(sender, now)
        if len(local.encode()) > LOCAL_OCTETS:
            raise TooLong(f"{str(sender)[:320]} is too long to be rewritten")
        return Address(local, domain)

    def reverse(self, local: str, now: float) -> Address:
        """
        The address that a rewritten local part stands for.

        @raise Forged: we did not make it, or too long ago.
        """
        found = _SRS0.fullmatch(local)
        if found is not None:
            mark, stamp, domain, name = found.groups()
            self._check(mark, stamp.upper(), domain, name)
            self._check_age(stamp.upper(), now)
            return Address(name, domain.lower())
        found = _SRS1.fullmatch(local)
        if found is None:
            raise Forged("this is no rewritten address")
        mark, domain, rest = found.groups()
        self._check(mark, domain, rest)
        return Address(f"SRS0{rest}", domain.lower())

    def _first(self, sender: Address, now: float) -> str:
        stamp = _stamp(now)
        mark = self._mark(stamp, sender.domain, sender.local)
        return f"SRS0={mark}={stamp}={sender.domain}={sender.local}"

    def _again(self, sender: Address) -> str:
        """Of a sender that was rewritten already: the first keeps his hash."""
        found = _OTHER0.fullmatch(sender.local)
        if found is not None:
            domain, rest = sender.domain, found[1]
        else:
            found = _OTHER1.fullmatch(sender.local)
            if found is None:
                return ""
            domain, rest = found.groups()
        return f"SRS1={self._mark(domain, rest)}={domain}={rest}"

    def _mark(self, *parts: str) -> str:
        # Others may change upper and lower case on the way, and nothing else.
        text = "\0".join(parts).lower().encode("utf-8", "surrogatepass")
        digest = hmac.digest(self.secret, text, "sha256")
        return b32encode(digest).decode("ascii")[:_HASH]

    def _check(self, mark: str, *parts: str) -> None:
        if not hmac.compare_digest(mark.upper(), self._mark(*parts)):
            raise Forged("its hash is not ours")

    def _check_age(self, stamp: str, now: float) -> None:
        then = _DIGITS.index(stamp[0]) * 32 + _DIGITS.index(stamp[1])
        if (int(now // _DAY) - then) % _ROUND > self.days:
            raise Forged("it is too old")


def _stamp(now: float) -> str:
    day = int(now // _DAY) % _ROUND
    return _DIGITS[day // 32] + _DIGITS[day % 32]
