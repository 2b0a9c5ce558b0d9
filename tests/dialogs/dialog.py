"""
A conversation in a file.

A line C{C: text} is sent with CRLF behind it, unless it ends with a single
C{~}; C{~0A} is the octet 0A.  C{S: 250 text} expects one reply with that code
and that text somewhere in it; C{S: -} expects the server to hang up.  C{B: text}
expects the next accepted body, without its CRLF at the end.  C{O: name=number}
sets a limit.  C{#} begins a comment.
"""

import re
from pathlib import Path
from typing import Any

from attrs import Factory, evolve, frozen

from smfd.proto.extension import Offer
from smfd.proto.limits import Limits
from smfd.proto.lmtp import LMTPMachine
from smfd.proto.server import ServerMachine

HERE = Path(__file__).parent


@frozen
class Step:
    """What the client sends at once, and the replies to it."""

    sent: bytes
    replies: tuple[str, ...] = ()


@frozen
class Dialog:
    """
    One file.

    @ivar tls: it says STARTTLS, and cannot be sent in one go.
    @ivar machine: whose language it is in.
    """

    name: str
    steps: tuple[Step, ...]
    bodies: tuple[bytes, ...]
    limits: Limits = Factory(Limits)
    offer: Offer = Factory(Offer)
    machine: type[ServerMachine] = ServerMachine

    @property
    def tls(self) -> bool:
        """Whether TLS is offered."""
        return self.offer.starttls

    @property
    def replies(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(r for step in self.steps for r in step.replies)

    @property
    def sent(self) -> bytes:
        """All of it."""
        return b"".join(step.sent for step in self.steps)


def raw(text: str) -> bytes:
    """Undo the escapes."""
    plain = text.encode()
    return re.sub(rb"~([0-9A-F]{2})", lambda m: bytes.fromhex(m[1].decode()), plain)


def read_dialog(path: Path) -> Dialog:
    """Read one file."""
    steps = [Step(b"")]
    bodies: list[bytes] = []
    options: dict[str, Any] = {}
    for line in path.read_text().splitlines():
        kind, text = line[:3], line[3:]
        if kind == "C: ":
            octets = raw(text[:-1]) if text.endswith("~") else raw(text) + b"\r\n"
            if steps[-1].replies:
                steps.append(Step(b""))
            steps[-1] = evolve(steps[-1], sent=steps[-1].sent + octets)
        elif kind == "S: ":
            steps[-1] = evolve(steps[-1], replies=(*steps[-1].replies, text))
        elif kind == "B: ":
            bodies.append(raw(text) + b"\r\n")
        elif kind == "O: ":
            name, _, value = text.partition("=")
            options[name] = int(value)
        else:
            assert not line or line[0] == "#", f"{path}: {line}"
    offer = Offer(
        starttls=bool(options.pop("starttls", 0)),
        chunking=bool(options.pop("chunking", 1)),
        dsn=bool(options.pop("dsn", 1)),
        smtputf8=bool(options.pop("smtputf8", 1)),
    )
    return Dialog(
        path.stem,
        tuple(steps),
        tuple(bodies),
        Limits(**options),
        offer,
        LMTPMachine if path.suffix == ".lmtp" else ServerMachine,
    )


def dialogs() -> list[Dialog]:
    """All files here, SMTP's and LMTP's."""
    return [read_dialog(path) for path in sorted(HERE.glob("*.[sl]mtp"))]


def cut_replies(octets: bytes) -> list[str]:
    """Cut what the server sent into replies; lines of one joined by LF."""
    replies: list[str] = []
    begun: list[str] = []
    for line in octets.decode("ascii").split("\r\n")[:-1]:
        begun.append(line)
        if line[3:4] != "-":
            replies.append("\n".join(begun))
            begun = []
    assert not begun and octets[-2:] in (b"\r\n", b""), octets
    return replies


def mismatch(expected: tuple[str, ...], octets: bytes, closed: bool) -> str:
    """What is not as it should be, or nothing."""
    wanted = list(expected)
    hangs_up = wanted[-1:] == ["-"]
    if hangs_up:
        wanted.pop()
    replies = cut_replies(octets)
    fits = len(wanted) == len(replies) and all(
        reply[:3] == want[:3] and all(word in reply for word in want.split()[1:])
        for want, reply in zip(wanted, replies, strict=True)
    )
    if fits and hangs_up is closed:
        return ""
    return f"expected {expected}, got {replies} and closed={closed}"
