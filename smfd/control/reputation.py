"""Why do others reject us?  One page that answers it (S26)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from smfd.control import dns
from smfd.control.house import Actor, Document, House
from smfd.control.listings import Look
from smfd.control.reputation_settings import Reputation
from smfd.control.times import check_days, utc
from smfd.model.cause import kind_of
from smfd.model.directory import Refused
from smfd.policy.causes import advice
from smfd.policy.diagnosis import Evidence, Tally, answer, tallies, total
from smfd.policy.listed import Listed
from smfd.policy.paces import Paces
from smfd.store.deliveries import Report, Sample
from smfd.store.directory_rules import domain_name

_DAY = 86_400

#: Records that prove whose mail it is.
_PROOFS = ("spf", "host-spf", "dkim", "dmarc")

#: Providers that are told of one by one.
_PROVIDERS = 25


async def show(
    house: House, actor: Actor, *, domain: str = "", days: int = 7
) -> Document:
    """
    What became of our mail at each provider, why, and what to do.

    @param domain: only what was sent in its name; "" for all.
    @param days: so many, with today.
    """
    ours = reputation_of(house)
    name = domain and domain_name(domain)
    check_days(days)
    now = house.clock.seconds()
    deliverability = ours.deliverability
    await deliverability.write()
    report = await deliverability.deliveries.report(int(now // _DAY) - days + 1, name)
    if name and not report.providers:
        await _check_ours(house, name, days)
    suppressed = await deliverability.suppressions.page(now, name, limit=0)
    await ours.listings.look_if_old()
    providers, accounts = tallies(report.providers), tallies(report.accounts)
    return {
        "domain": name,
        "days": days,
        "answer": answer(_evidence(house, name, providers, accounts)),
        "total": _tally(total(providers)),
        "providers": _providers(providers, report, deliverability.paces),
        "sources": _sources(ours, report, now),
        "accounts": [{"account": t.name, **_tally(t)} for t in accounts],
        "by_day": _by_day(report),
        "dns": await _dns(house, actor, name),
        "suppressed": suppressed.total,
        "lists_looked_at": utc(ours.listings.at) if ours.listings.at else None,
    }


def _evidence(
    house: House, domain: str, providers: Sequence[Tally], accounts: Sequence[Tally]
) -> Evidence:
    listings = reputation_of(house).listings
    named = [
        f"{look.address}: {look.fault}; many refuse mail for it."
        for look in listings.looks.values()
        if look.fault
    ]
    if house.rotation is not None:
        named += house.rotation.unfound(domain=domain)
    return Evidence(providers, accounts, listings.alarms(), named)


def reputation_of(house: House) -> Reputation:
    """All that knows what others think of us."""
    if house.reputation is None:
        raise Refused("conflict", "Nothing is counted here.")
    return house.reputation


async def _dns(house: House, actor: Actor, domain: str) -> list[Document]:
    """How the DNS proves whose mail it is; nothing where no domain is asked for."""
    if not domain or house.resolver is None or not await _is_hosted(house, domain):
        return []
    found = await dns.show(house, actor, name=domain, check=True)
    return [
        {key: one[key] for key in ("what", "name", "verdict", "fix")}
        for one in found["checks"]
        if one["what"] in _PROOFS
    ]


async def _check_ours(house: House, domain: str, days: int) -> None:
    """Where nothing was sent; what was hosted before, and sent some, is told of."""
    if not await _is_hosted(house, domain):
        raise Refused(
            "unknown",
            f"{domain} is not hosted here, and sent nothing in {days} days.",
            "domain list names what is.",
        )


async def _is_hosted(house: House, domain: str) -> bool:
    hosted: bool = await house.directory.is_hosted(domain)
    return hosted


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "sent": tally.sent,
        "deferred": tally.deferred,
        "rejected": tally.rejected,
        "complaints": tally.complaints,
        "rejected_share": round(tally.share, 4),
    }


def _providers(
    providers: Iterable[Tally], report: Report, paces: Paces
) -> list[dict[str, Any]]:
    samples: dict[tuple[str, str], Sample] = {}
    for sample in reversed(report.samples):
        samples[sample.provider, sample.kind] = sample
    slowed: dict[str, float] = {}
    for (provider, _), rate in paces.slowed().items():
        slowed[provider] = min(rate, slowed.get(provider, rate))
    found = list(providers)
    others = total(found[_PROVIDERS:])
    shown = found[:_PROVIDERS]
    if others.tries:
        shown.append(others)
    return [
        {
            "provider": tally.name or "others",
            **_tally(tally),
            "slowed_to": slowed.get(tally.name),
            "causes": [
                _cause(kind, number, samples.get((tally.name, kind)))
                for kind, number in tally.top
            ],
        }
        for tally in shown
    ]


def _cause(kind: str, number: int, sample: Sample | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "what": kind_of(kind).words,
        "number": number,
        "advice": sample.advice if sample else advice(kind),
        "sample": sample.said if sample else "",
        "host": sample.host if sample else "",
        "time": utc(sample.time) if sample else None,
    }


def _sources(ours: Reputation, report: Report, now: float) -> list[dict[str, Any]]:
    counted: Mapping[str, Tally] = {t.name: t for t in tallies(report.sources)}
    looks, warm_up = ours.listings.looks, ours.deliverability.paces.warm_up
    addresses = [*looks, *warm_up.since, *(name for name in counted if name)]
    return [
        {
            "address": address,
            **_tally(counted.get(address, Tally(address))),
            **_look(looks.get(address)),
            "warm_up": warm_up.most(address, now),
        }
        for address in dict.fromkeys(addresses)
    ]


def _look(look: Look | None) -> dict[str, Any]:
    if look is None:
        return {"listed": [], "not_listed": [], "unsure": [], "names": [], "fault": ""}
    named = look.named
    return {
        "listed": [_listed(one) for one in look.listed],
        "not_listed": list(look.clean),
        "unsure": list(look.unknown),
        "names": list(named.names) if named else [],
        "fault": look.fault if named else "the DNS does not say its name",
    }


def _listed(one: Listed) -> dict[str, Any]:
    return {
        "zone": one.zone,
        "answer": one.answer,
        "meaning": one.meaning,
        "since": utc(one.since),
    }


def _by_day(report: Report) -> list[dict[str, Any]]:
    found = sorted(tallies(report.days), key=lambda tally: int(tally.name))
    return [{"day": utc(int(t.name) * _DAY)[:10], **_tally(t)} for t in found]
