"""What others report of TLS with our servers (RFC 8460)."""

from typing import Any

from smfd.control.house import Document
from smfd.control.reports import OfReports
from smfd.control.reputation_settings import Reputation
from smfd.control.times import utc
from smfd.policy.tls_answer import Failed, tls_answer
from smfd.store.tls_received import Fault, Received


async def _said(
    ours: Reputation, domain: str, since: int, limit: int, offset: int
) -> Document:
    found = await ours.tls.summary(domain, since, limit, offset)
    failed = [Failed(f.result, f.host, f.number, f.reporters) for f in found.faults]
    return {
        "answer": tls_answer(domain, found.good, found.bad, failed),
        "good": found.good,
        "bad": found.bad,
        "faults": [_fault(one) for one in found.faults],
        "items": [_received(one) for one in found.reports],
        "total": found.total,
    }


show = OfReports(_said)


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "result": fault.result,
        "host": fault.host,
        "connections": fault.number,
        "reporters": fault.reporters,
        "detail": fault.why,
    }


def _received(one: Received) -> dict[str, Any]:
    return {
        "reporter": one.reporter,
        "sender": one.sender,
        "policy": one.kind,
        "begins": utc(one.begins),
        "ends": utc(one.ends),
        "good": one.good,
        "bad": one.bad,
    }
