"""What others report of mail in the name of a domain of ours (DMARC)."""

from collections.abc import Collection
from typing import Any

from smfd.control.house import Actor, Document, House
from smfd.control.reports import told_of
from smfd.control.reputation import reputation_of
from smfd.control.times import utc
from smfd.policy.dmarc_answer import Seen, dmarc_answer
from smfd.store.dmarc_reports import Kept, Source


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
    What reports say of a domain: in sentences, by address, and which there are.

    @param days: so many back; a report counts by the end of its time.
    """
    domain, since = await told_of(house, name, days)
    ours = reputation_of(house)
    found = await ours.reports.summary(domain, since, limit, offset)
    addresses = {*ours.listings.looks, *ours.listings.addresses}
    seen = [_seen(one, addresses) for one in found.sources]
    return {
        "domain": domain,
        "days": days,
        "answer": dmarc_answer(domain, seen),
        "messages": found.number,
        "passed": found.passed,
        "sources": [
            _source(source, one.ours)
            for source, one in zip(found.sources, seen, strict=True)
        ],
        "items": [_kept(one) for one in found.reports],
        "total": found.total,
    }


def _seen(source: Source, ours: Collection[str]) -> Seen:
    return Seen(
        source.address,
        source.address in ours,
        source.number,
        source.passed,
        source.dkim,
        source.spf,
    )


def _source(source: Source, ours: bool) -> dict[str, Any]:
    return {
        "address": source.address,
        "ours": ours,
        "messages": source.number,
        "passed": source.passed,
        "dkim": source.dkim,
        "spf": source.spf,
        "kept_back": source.kept,
        "detail": source.detail,
    }


def _kept(kept: Kept) -> dict[str, Any]:
    return {
        "reporter": kept.reporter,
        "sender": kept.sender,
        "name": kept.name,
        "begins": utc(kept.begins),
        "ends": utc(kept.ends),
        "received": utc(kept.received),
        "policy": kept.policy,
        "messages": kept.number,
        "passed": kept.passed,
    }
