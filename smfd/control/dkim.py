"""
The keys that mail of a domain is signed with: made, published, used, retired.

Standards: RFC 6376 §3.6 (where keys are found), §6.1.2 (what others do without).
"""

from collections.abc import Sequence
from functools import partial

from twisted.internet.defer import Deferred, gatherResults

from smfd.content.dkim_key import NoKey, read_key
from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.control.rotation import published
from smfd.control.times import utc
from smfd.delivery.signer import Signer
from smfd.model.directory import Refused
from smfd.model.dkim import ACTIVE, LINGERS, SPARE, DKIMKey, NewKey
from smfd.policy.dns_zone import quoted
from smfd.store import directory_rules
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
    found = await house.dkim.page(name, search, limit, offset)
    return listed(found, partial(_shown, house))


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
    keys = await house.dkim.keys(name)
    spare = [key for key in keys if key.state == SPARE]
    if not force:
        _check_kinds(keys)
        await _check_published(house, spare, "The spare keys are")
    made = await _signer(house).make()
    found = await house.dkim.rotate(name, spare, made, actor=actor.name)
    return _document(house, name, found)


async def take(
    house: House,
    actor: Actor,
    *,
    name: str,
    selector: str,
    key: str,
    force: bool = False,
) -> Document:
    """
    Sign with a key from elsewhere, in place of the one of its kind.

    Refused while others would not find it, unless forced.

    @param key: the private one, as L{read_key} reads it; told to nobody again.
    """
    await house.dkim.keys(name)
    label = directory_rules.selector(selector)
    try:
        read = await _signer(house).beside(read_key, key)
    except NoKey as wrong:
        raise Refused("invalid", str(wrong)) from None
    if not force:
        wanted = DKIMKey(domain_name(name), label, read.algorithm, read.record, "", 0.0)
        await _check_published(house, [wanted], "The record of this key is")
    found = await house.dkim.take(name, label, read, actor=actor.name)
    weak = "It has less than 2048 bits; let the spare keys take over soon."
    return {**_document(house, name, found), "warning": weak if read.is_weak else ""}


async def retire(house: House, actor: Actor, *, name: str, selector: str) -> Document:
    """A key signs no more, and can not again: it may be known to others."""
    found = await house.dkim.retire(name, selector, actor=actor.name)
    return _shown(house, found)


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


def _check_kinds(keys: Sequence[DKIMKey]) -> None:
    """What was signed with both kinds is so from now on."""
    signing = {key.algorithm for key in keys if key.state == ACTIVE}
    lacking = signing - {key.algorithm for key in keys if key.state == SPARE}
    if lacking:
        kinds = " and ".join(sorted(lacking))
        domain = keys[0].domain
        raise Refused(
            "conflict", f"There is no spare key of {kinds}.", f"Say: dkim add {domain}."
        )


async def _check_published(house: House, keys: Sequence[DKIMKey], what: str) -> None:
    """Everybody finds the keys that are to sign."""
    wrong = keys
    if house.resolver is not None:
        look = partial(published, house.resolver)
        asked = [Deferred.fromCoroutine(look(key)) for key in keys]
        found: Sequence[bool | None] = await gatherResults(asked)
        wrong = [key for key, good in zip(keys, found, strict=True) if not good]
    if wrong:
        records = "\n".join(f"{key.name}. TXT {quoted(key.record)}" for key in wrong)
        raise Refused(
            "conflict",
            f"{what} not in the DNS yet, or not rightly.",
            f"Publish these and try again in a while, or use --force:\n{records}",
        )


def _document(house: House, name: str, keys: Sequence[DKIMKey]) -> Document:
    now = house.clock.seconds()
    return {
        "domain": domain_name(name),
        "signs": house.signer is not None and house.signer.signs,
        "keys": [_shown(house, key) for key in keys if key.is_wanted(now)],
    }


def _shown(house: House, key: DKIMKey) -> dict[str, object]:
    """A key, without its private half."""
    gone, turn = key.retired, house.rotation
    due = key.due(turn.terms.age) if turn else None
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
        "due": utc(due) if due else None,
        "late": turn is not None and turn.is_late(key),
        "published": turn.seen(key) if turn else None,
    }
