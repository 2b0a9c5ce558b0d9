"""
The records of a domain: what has to be in the DNS, and what is.

Nothing is looked up unless somebody asks whether it is there: others would
remember for a while that it is not.
"""

from collections.abc import Sequence

from attrs import asdict, evolve
from twisted.internet.defer import Deferred, gatherResults

from smfd.control.house import Actor, Document, House
from smfd.delivery.mta_sts import fetched
from smfd.model.directory import Refused
from smfd.net.dns import DNSTrouble, Lookup
from smfd.net.https import HTTPS, NoPage
from smfd.policy.dns_pages import pages
from smfd.policy.dns_site import Site, Wanted
from smfd.policy.dns_sts import Served, judged_policy
from smfd.policy.dns_verdict import FAIL, OK, Advice, Found, is_judged, judged
from smfd.policy.dns_zone import zone
from smfd.policy.mta_sts import read_id
from smfd.scan.spf import SPFStage
from smfd.store.certificate import key_digest
from smfd.store.directory_rules import domain_name

#: The most addresses of our own that are looked at.
_ADDRESSES = 20

#: Seconds that our own web server has.
_PATIENCE = 20.0

#: Types whose records are compared with what has to be there.
_SPF = ("spf", "host-spf")


async def show(
    house: House, actor: Actor, *, name: str, check: bool = False
) -> Document:
    """
    The records of a domain, as a zone.

    @param check: look up what is there, and say what is wrong with it.
    """
    site = await _site(house, domain_name(name))
    if not check:
        return {
            "domain": site.domain,
            "zone": "\n".join(zone(site)) + "\n",
            "pages": [asdict(page) for page in pages(site)],
        }
    if house.resolver is None:
        raise Refused("conflict", "Nothing is looked up here.")
    site = evolve(site, addresses=await _addresses(house.resolver, site.hostname))
    wanted = [one for one in site.wanted() if is_judged(one)]
    found = await gatherResults(
        [Deferred.fromCoroutine(_advice(house.resolver, site, one)) for one in wanted],
        consumeErrors=True,
    )
    if house.https is not None and _promises(found):
        found.append(await _served(house.resolver, house.https, site))
    return {
        "domain": site.domain,
        "hostname": site.hostname,
        "checks": [_shown(one) for one in found],
        "failed": sum(one.verdict == FAIL for one in found),
    }


async def _site(house: House, domain: str) -> Site:
    now = house.clock.seconds()
    keys = [key for key in await house.dkim.keys(domain) if key.is_wanted(now)]
    digest = ""
    if house.signer is not None and house.facts.certificate:
        digest = await house.signer.beside(key_digest, house.facts.certificate)
    facts, turn = house.facts, house.rotation
    return Site(
        domain,
        facts.hostname,
        keys,
        (),
        digest,
        facts.sources,
        facts.reports_to,
        [key.name for key in keys if turn is not None and turn.is_late(key)],
        facts.services,
    )


async def _addresses(resolver: Lookup, hostname: str) -> Sequence[str]:
    """Our own, as others find them."""
    found: list[str] = []
    for kind in ("A", "AAAA"):
        answer = await _look(resolver, hostname, kind)
        found += map(str, answer.records)
    return found[:_ADDRESSES]


async def _advice(resolver: Lookup, site: Site, wanted: Wanted) -> Advice:
    found = await _look(resolver, wanted.name, wanted.type)
    if wanted.what in _SPF and found.records:
        found = evolve(found, spf=await _spf(resolver, site, wanted))
    return judged(wanted, found)


def _promises(found: Sequence[Advice]) -> bool:
    """Whether there is a record of MTA-STS."""
    return any(one.wanted.what == "mta-sts" and one.verdict == OK for one in found)


async def _served(resolver: Lookup, https: HTTPS, site: Site) -> Advice:
    """The policy, as others get it now."""
    try:
        policy = await fetched(https, site.domain, _PATIENCE)
    except (NoPage, ValueError) as why:
        return judged_policy(site, Served(None, str(why).rstrip(".")))
    named = await _look(resolver, f"_mta-sts.{site.domain}", "TXT")
    hosts = [host for _, host in (await _look(resolver, site.domain, "MX")).records]
    return judged_policy(site, Served(policy, "", read_id(named.records), hosts))


async def _look(resolver: Lookup, name: str, kind: str) -> Found:
    try:
        answer = await resolver.lookup(name, kind)
    except DNSTrouble:
        return Found(answered=False)
    return Found(records=answer.records, secure=answer.secure)


async def _spf(resolver: Lookup, site: Site, wanted: Wanted) -> dict[str, str]:
    """What others would find, for each of our addresses."""
    stage = SPFStage(resolver)
    sender = f"postmaster@{wanted.name}"
    return {
        address: await stage.check_host(address, sender, site.hostname)
        for address in site.senders
    }


def _shown(advice: Advice) -> Document:
    wanted = advice.wanted
    return {
        "what": wanted.what,
        "name": wanted.name,
        "type": wanted.type,
        "expected": wanted.value,
        "found": list(advice.found),
        "verdict": advice.verdict,
        "fix": advice.fix,
        "why": wanted.why,
    }
