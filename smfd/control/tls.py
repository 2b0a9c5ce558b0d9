"""What others report of TLS with our servers (RFC 8460)."""

from typing import Any

from smfd.control.house import Actor, Document, House
from smfd.control.reports import told_of
from smfd.control.reputation import reputation_of
from smfd.control.times import utc
from smfd.policy.tls_answer import Failed, tls_answer
from smfd.store.tls_received import Fault, Received


async def show(
    house: House,
    actor: Actor,
    *,
    name: str,
    days: int = 30,
    limit: int = 20,
    offset: int = 0,
) -> Document:
    """
    What reports say of a domain: in sentences, by fault, and which there are.

    @param days: so many back; a report counts by the end of its time.
    """
    domain, since = await told_of(house, name, days)
    received = reputation_of(house).tls
    found = await received.summary(domain, since, limit, offset)
    failed = [Failed(f.result, f.host, f.number, f.reporters) for f in found.faults]
    return {
        "domain": domain,
        "days": days,
        "answer": tls_answer(domain, found.good, found.bad, failed),
        "good": found.good,
        "bad": found.bad,
        "faults": [_fault(one) for one in found.faults],
        "items": [_received(one) for one in found.reports],
        "total": found.total,
    }


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
