"""The messages of the benchmark: made here, signed, all different if wanted."""

import base64
import random
from collections.abc import Iterator

import dkim
from attrs import frozen
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PROSE = (
    "the order of last week was packed and sent to the branch in town so that "
    "everything should arrive before the meeting please tell us if some part is "
    "missing or if the date does not suit you with kind regards from all of us"
)
WORDS = PROSE.split()

SENDER, RECIPIENT = "alice@sender.test", "user@example.test"


@frozen
class Signer:
    """Signs as C{bench._domainkey.sender.test}, or of another domain."""

    pem: bytes
    record: str

    def sign(self, message: bytes, domain: bytes = b"sender.test") -> bytes:
        """The message with its signature on top."""
        fields = [b"from", b"to", b"subject", b"date", b"message-id"]
        signature: bytes = dkim.sign(
            message, b"bench", domain, self.pem, include_headers=fields
        )
        return signature + message


def signer() -> Signer:
    """A new key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    return Signer(pem, record)


def _prose(seed: int, octets: int) -> str:
    draw = random.Random(seed)
    lines: list[str] = []
    size = 0
    while size < octets:
        line = " ".join(draw.choices(WORDS, k=11))
        lines.append(line)
        size += len(line) + 2
    return "\r\n".join(lines) + "\r\n"


def _header(seed: int, content_type: str) -> str:
    return (
        f"From: Alice Example <{SENDER}>\r\nTo: <{RECIPIENT}>\r\n"
        f"Subject: Order {seed} of this week\r\n"
        "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{seed}.bench@sender.test>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n"
    )


def text(seed: int, octets: int) -> bytes:
    """A plain letter."""
    head = _header(seed, 'text/plain; charset="utf-8"')
    return f"{head}\r\n{_prose(seed, octets - 600)}".encode()


def parts(seed: int, prose: int, attachment: int) -> bytes:
    """A letter as text and HTML, with an attachment."""
    body = _prose(seed, prose)
    page = "".join(f"<p>{line}</p>\r\n" for line in body.splitlines())
    file = base64.encodebytes(random.Random(seed).randbytes(attachment))
    encoded = file.replace(b"\n", b"\r\n").decode()
    return (
        _header(seed, 'multipart/mixed; boundary="b1"')
        + '\r\n--b1\r\nContent-Type: multipart/alternative; boundary="b2"\r\n'
        f"\r\n--b2\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}"
        "\r\n--b2\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        f"<html><body>\r\n{page}<a href='https://www.sender.test/'>us</a>"
        "</body></html>\r\n--b2--\r\n--b1\r\n"
        'Content-Type: application/pdf; name="order.pdf"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="order.pdf"\r\n\r\n{encoded}'
        "\r\n--b1--\r\n"
    ).encode()


def workload(name: str, signed: Signer, count: int) -> Iterator[bytes]:
    """
    C{count} messages: A 4 KB, B 60 KB, C 10 MB, D mixed and all different.

    A to C repeat one message, as the peers' measurement does.
    """
    one = {
        "A": lambda: text(1, 4_000),
        "B": lambda: parts(1, 9_000, 23_000),
        "C": lambda: parts(1, 9_000, 10 * 1024 * 1024),
    }
    if name in one:
        message = signed.sign(one[name]())
        for _ in range(count):
            yield message
        return
    for seed in range(count):
        size = 2_000 * (1 + seed % 20)
        make = text(seed, size) if seed % 2 else parts(seed, size // 4, size // 2)
        yield signed.sign(make)
