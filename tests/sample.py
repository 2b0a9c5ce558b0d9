"""Transactions made of literals, for tests."""

from collections.abc import Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred

from smfd.format.header import read_header
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Listed, Result
from smfd.model.session import Session
from smfd.model.transaction import Body, Flow, Transaction
from smfd.proto.address import Address

CLEAN = (
    b"From: Ann <ann@sender.test>\r\n"
    b"To: bob@example.test\r\n"
    b"Subject: lunch\r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
    b"Message-ID: <1@sender.test>\r\n"
    b"\r\n"
    b"See you at noon.\r\n"
)


T = TypeVar("T")


async def come(answer: T | Deferred[T]) -> T:
    """What was said, at once or later."""
    return await answer if isinstance(answer, Deferred) else answer


def address(text: str) -> Address:
    """An address of a plain C{local@domain}."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def transaction(
    data: bytes = CLEAN,
    sender: str | None = "ann@sender.test",
    recipients: Sequence[str] = ("bob@example.test",),
    findings: Sequence[Finding] = (),
    flow: Flow = Flow.INBOUND,
    client: str = "192.0.2.1",
) -> Transaction:
    """A transaction as the chain gets it."""
    return Transaction(
        id="0000000000000001",
        flow=flow,
        received=1_795_000_000.0,
        session=Session(
            "0000000000000000", client, 4242, 0.0, "mail.sender.test", True
        ),
        envelope=Envelope(
            "0000000000000001",
            address(sender) if sender else None,
            tuple(Forward(address(r)) for r in recipients),
        ),
        body=Body(len(data), data),
        header=read_header(data),
        findings=tuple(findings),
    )


def listed(
    recipient: str, *, allow: bool, identity: str = "envelope", scope: str = "user"
) -> Listed:
    """An entry of somebody's list that matches the sender."""
    return Listed(
        "lists",
        "LIST_ALLOW" if allow else "LIST_BLOCK",
        Result.PASS,
        None,
        f"{'allowed' if allow else 'blocked'} by {recipient}",
        recipient=recipient,
        scope=scope,
        allow=allow,
        pattern="ann@sender.test",
        identity=identity,
    )


def scored(score: float, symbol: str = "TEST") -> Finding:
    """A finding of the content stage."""
    return Finding("content", symbol, Result.SUSPECT, score, f"it looks like {symbol}")


SPF_PASS = Finding("spf", "SPF_PASS", Result.PASS, 0.0, evidence="d=sender.test")
AUTHENTICATED = Finding("dmarc", "AUTHENTICATED", Result.PASS, evidence="d=sender.test")
VIRUS_CLEAN = Finding("virus", "VIRUS_CLEAN", Result.PASS)
VIRUS_FOUND = Finding(
    "virus", "VIRUS_FOUND", Result.FAIL, None, "contains the virus Eicar"
)
VIRUS_ERROR = Finding(
    "virus", "VIRUS_ERROR", Result.ERROR, None, "the virus stage failed"
)
VIRUS_UNSCANNED = Finding(
    "virus", "VIRUS_UNSCANNED", Result.SUSPECT, None, "larger than the scanner takes"
)
