"""
DKIM signatures of our own: what they cover, and how they are written.

Relaxed in header and body, for servers on the way fold and trim.  Fields that
readers see are signed once more than they are there: whoever adds another
breaks the signature.

Standards: RFC 6376 §3.4, §3.5, §5, §8.15 (fields signed once more), RFC 8463.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from smfd.content.canonical import Field, Fields, relaxed_field
from smfd.format.header import Header, read_header
from smfd.model.dkim import SigningKey

#: Signed once more than they are there (R84).
SEALED = (
    *(
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"subject",
        b"date",
        b"message-id",
    ),
    *(b"in-reply-to", b"references", b"mime-version", b"content-type"),
    b"content-transfer-encoding",
)

#: Signed as often as they are there: lists and forwarders may add their own.
SIGNED = (
    *(b"list-id", b"list-help", b"list-unsubscribe", b"list-unsubscribe-post"),
    *(b"list-subscribe", b"list-post", b"list-owner", b"list-archive"),
    *(b"content-id", b"content-description", b"content-disposition"),
    *(b"auto-submitted", b"feedback-id", b"autocrypt"),
)

#: The most fields of one name that are signed, not to name a thousand.
_MOST = 20

_LINE = 72
_BLANK = b" \t\r\n"
_COUNTED = 4096


class RelaxedBody:
    """
    The hash of a body in relaxed form, piece by piece (RFC 6376 §3.4.4).

    Blanks and line ends are counted until it is known that something follows.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._lines = 0
        self._blank = False
        self._empty = True

    def update(self, piece: bytes) -> None:
        """Some more of the body, cut anywhere."""
        front = piece.lstrip(_BLANK)
        self._wait(piece[: len(piece) - len(front)])
        if not front:
            return
        middle = front.rstrip(_BLANK)
        self._catch_up()
        data = middle.replace(b"\t", b" ")
        # Each round halves what is left of the longest run.
        while b"  " in data:
            data = data.replace(b"  ", b" ")
        self._hash.update(data.replace(b" \r\n", b"\r\n"))
        self._empty = False
        self._wait(front[len(middle) :])

    def digest(self) -> bytes:
        """Of all of it; nothing may come afterwards."""
        if not self._empty:
            self._hash.update(b"\r\n")
        return self._hash.digest()

    def _wait(self, run: bytes) -> None:
        """Blanks and line ends, of which perhaps nothing will stay."""
        lines = run.count(b"\n")
        if lines:
            self._lines += lines
            self._blank = False
            run = run[run.rindex(b"\n") :]
        self._blank = self._blank or b" " in run or b"\t" in run

    def _catch_up(self) -> None:
        """Something follows: what was between stays."""
        while self._lines:
            many = min(self._lines, _COUNTED)
            self._hash.update(b"\r\n" * many)
            self._lines -= many
        if self._blank:
            self._hash.update(b" ")
            self._blank = False


def body_hash(pieces: Iterable[bytes]) -> bytes:
    """What bh= says of a body."""
    made = RelaxedBody()
    for piece in pieces:
        made.update(piece)
    return made.digest()


def fields_of(
    top: bytes, header: Header, cuts: Sequence[tuple[int, int]]
) -> list[Field]:
    """
    The fields of a message as it leaves.

    @param top: what we put on top.
    @param header: that of the body below.
    @param cuts: ranges of the body that are left out.
    """
    gone = iter(cuts)
    cut = next(gone, None)
    found = [_field(one.name, one.value) for one in read_header(top).fields]
    for one in header.fields:
        while cut is not None and cut[1] <= one.start:
            cut = next(gone, None)
        if cut is None or one.end <= cut[0]:
            found.append(_field(one.name, one.value))
    return found


def _field(name: str, value: bytes) -> Field:
    return name.encode("latin-1"), value + b"\r\n"


@frozen
class Draft:
    """
    Everything that is to be signed, by however many keys.

    @ivar hash: the body's.
    @ivar at: seconds since the epoch.
    """

    fields: Fields
    hash: bytes = field(repr=False)  # noqa: A003
    at: float

    def sign(self, keys: Sequence[SigningKey]) -> bytes:
        """One DKIM-Signature field for each key, CRLF ended."""
        names = named(self.fields, SEALED, 1) + named(self.fields, SIGNED)
        covered = self.fields.covered(names, b"relaxed")
        rest = (
            f" t={int(self.at)};\r\n\th={listed(names)};\r\n"
            f"\tbh={b64encode(self.hash).decode('ascii')};\r\n\tb="
        )
        return b"".join([_signed(key, rest, covered) for key in keys])


def _signed(key: SigningKey, rest: str, covered: bytes) -> bytes:
    value = (
        f" v=1; a={key.algorithm}-sha256; c=relaxed/relaxed; d={key.domain};\r\n"
        f"\ts={key.selector};{rest}"
    ).encode("ascii")
    # RFC 6376 §3.7: with an empty b=, and without the last CRLF.
    own = relaxed_field(b"DKIM-Signature", value).removesuffix(b"\r\n")
    made = b64encode(signature(key.private, key.algorithm, covered + own))
    return b"DKIM-Signature:%s%s\r\n" % (value, folded(made))


def named(fields: Fields, names: Sequence[bytes], more: int = 0) -> list[bytes]:
    """For h=: each name as often as it is there, and so often more."""
    found = []
    for name in names:
        found += [name] * (min(fields.count(name), _MOST) + more)
    return found


def signature(private: Any, algorithm: str, data: bytes) -> bytes:
    """Sign what is ready to be hashed."""
    if algorithm == "rsa":
        octets: bytes = private.sign(data, PKCS1v15(), SHA256())
    else:
        # RFC 8463 §3: the hash is what is signed.
        octets = private.sign(hashlib.sha256(data).digest())
    return octets


def listed(names: Sequence[bytes]) -> str:
    """h=, in lines that are short enough."""
    lines, line = [], ""
    for word in b":".join(names).decode("ascii").split(":"):
        if len(line) + len(word) + 1 > _LINE:
            lines.append(line)
            line = ""
        line += f":{word}" if line or lines else word
    return "\r\n\t".join([*lines, line])


def folded(text: bytes) -> bytes:
    """Base64, in lines that are short enough."""
    return b"\r\n\t".join(text[at : at + _LINE] for at in range(0, len(text), _LINE))
