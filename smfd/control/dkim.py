"""
The keys that mail of a domain is signed with: made, published, used, retired.

Standards: RFC 6376 §3.6 (where keys are found), §6.1.2 (what others do without).
"""

from collections.abc import Sequence

from twisted.internet.defer import gatherResults

from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.control.times import utc
from smfd.delivery.signer import Signer
from smfd.model.directory import Refused
from smfd.model.dkim import LINGERS, SPARE, DKIMKey, NewKey
from smfd.net.dns import DNSTrouble
from smfd.policy.dns_verdict import has_key
from smfd.policy.dns_zone import quoted
from smfd.store.directory_rules import domain_name


async def page(
    house: House,
    actor: Actor,
    *,
    domain: str = "",
    search: str = "",
    limit: int = 100,
    offset: int = 0,
) -> Document:
    """Some of the keys, of a domain or of all."""
    name = domain and domain_name(domain)
    return listed(await house.dkim.page(name, search, limit, offset), shown)


async def show(house: House, actor: Actor, *, name: str) -> Document:
    """A domain's keys, with the records that have to be in the DNS."""
    return _document(house, name, await house.dkim.keys(name))


async def add(house: House, actor: Actor, *, name: str) -> Document:
    """Give a domain what it lacks: keys that sign, and spare ones."""
    await house.dkim.keys(name)
    found = await house.dkim.add(name, await _pairs(house), actor=actor.name)
    return _document(house, name, found)


async def rotate(
    house: House, actor: Actor, *, name: str, force: bool = False
) -> Document:
    """
    Sign with the spare keys from now on, and make new spare ones.

    Refused while others would not find them, unless forced.
    """
    spare = [key for key in await house.dkim.keys(name) if key.state == SPARE]
    if not force:
        await _check_published(house, spare)
    made = await _signer(house).make()
    found = await house.dkim.rotate(name, made, actor=actor.name)
    return _document(house, name, found)


async def retire(house: House, actor: Actor, *, name: str, selector: str) -> Document:
    """A key signs no more, and can not again: it may be known to others."""
    found = await house.dkim.retire(name, selector, actor=actor.name)
    return shown(found)


async def give(house: House, actor: Actor, name: str) -> None:
    """A new domain's first keys, if mail is signed at all."""
    if house.signer is not None and house.signer.signs:
        await house.dkim.add(name, await _pairs(house), actor=actor.name)


async def _pairs(house: House) -> Sequence[Sequence[NewKey]]:
    signer = _signer(house)
    return await gatherResults([signer.make(), signer.make()], consumeErrors=True)


def _signer(house: House) -> Signer:
    if house.signer is None:
        raise Refused("conflict", "Nothing is signed here.")
    return house.signer


async def _check_published(house: House, spare: Sequence[DKIMKey]) -> None:
    """Everybody finds the keys that are to sign."""
    wrong = [key for key in spare if not await _is_published(house, key)]
    if wrong:
        records = "\n".join(f"{key.name}. TXT {quoted(key.record)}" for key in wrong)
        raise Refused(
            "conflict",
            "The spare keys are not in the DNS yet, or not rightly.",
            f"Publish these and try again in a while, or use --force:\n{records}",
        )


async def _is_published(house: House, key: DKIMKey) -> bool:
    """Whether the record that others see has this key."""
    if house.resolver is None:
        return False
    try:
        answer = await house.resolver.lookup(key.name, "TXT")
    except DNSTrouble:
        return False
    return len(answer.records) == 1 and has_key(answer.records[0], key.record)


def _document(house: House, name: str, keys: Sequence[DKIMKey]) -> Document:
    now = house.clock.seconds()
    return {
        "domain": domain_name(name),
        "signs": house.signer is not None and house.signer.signs,
        "keys": [shown(key) for key in keys if key.is_wanted(now)],
    }


def shown(key: DKIMKey) -> dict[str, object]:
    """A key, without its private half."""
    gone = key.retired
    return {
        "domain": key.domain,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "state": key.state,
        "name": key.name,
        "record": key.record,
        "created": utc(key.created),
        "activated": utc(key.activated) if key.activated else None,
        "retired": utc(gone) if gone else None,
        "record_until": utc(gone + LINGERS) if gone else None,
    }
