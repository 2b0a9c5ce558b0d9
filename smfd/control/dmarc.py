"""What others report of mail in the name of a domain of ours (DMARC)."""

from collections.abc import Collection
from typing import Any

from smfd.control.house import Document
from smfd.control.reports import OfReports
from smfd.control.reputation_settings import Reputation
from smfd.control.times import utc
from smfd.policy.dmarc_answer import Seen, dmarc_answer
from smfd.store.dmarc_reports import Kept, Source


async def _said(
    ours: Reputation, domain: str, since: int, limit: int, offset: int
) -> Document:
    found = await ours.reports.summary(domain, since, limit, offset)
    addresses = await ours.listings.ours()
    seen = [_seen(one, addresses) for one in found.sources]
    return {
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


show = OfReports(_said)


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
