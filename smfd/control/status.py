"""How the house is doing, and what is off."""

import sqlite3
from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed

from smfd.control.house import Actor, Document, House
from smfd.control.times import utc
from smfd.control.words import said_of
from smfd.model.directory import Domain
from smfd.model.queue import EVERY
from smfd.model.quota import Hold
from smfd.model.rule import Group
from smfd.policy.address_book import risks
from smfd.store.directory_pages import Page

NO_ANTIVIRUS = (
    "No antivirus is installed: the builtin engine knows the EICAR test string"
    " and nothing else."
)
BLIND = (
    "The virus scanner does not find the test virus: mail is deferred until it"
    " does. Look into the log of the scanner, and at its signatures."
)
STRESS = (
    "Stress: connections or memory run short. Clients have little time and few"
    " tries until there is room again."
)
NO_SCAN = "The virus stage is left out: nothing looks for viruses."


async def status(house: House, actor: Actor) -> Document:
    """What runs since when, what waits, what is held, what protects nobody."""
    facts = house.facts
    counts = await _counts(house)
    oldest = counts.get("oldest_due")
    unread = Deferred.fromCoroutine(_unread(house))
    old = Deferred.fromCoroutine(_rotation(house))
    asked = [_risks(house), _held(house), _unprotected(house), _unsigned(house)]
    asked += [Deferred.fromCoroutine(_reporters(house)), unread, old]
    found = await gatherResults(asked, consumeErrors=True)
    return {
        "hostname": facts.hostname,
        "version": facts.version,
        "up_since": utc(facts.started),
        "queue": counts.get("due"),
        "oldest_due": utc(oldest) if oldest else None,
        "suspended": counts.get("suspended"),
        "held": counts.get("held"),
        "corrupt": counts.get("corrupt"),
        "records": counts.get("records"),
        **_load(house),
        "worst_ms": round(house.pulse.worst * 1000, 1) if house.pulse else 0.0,
        "virus_engine": facts.engine or "none",
        "virus_test": _tested(house),
        "warnings": [
            *_virus(facts.engine),
            *([BLIND] if _tested(house) == "failed" else []),
            *facts.off,
            *chain(*found),
            *_limited(house),
            *_touched(house),
            *_listed(house),
            *_stressed(house),
            *_ledger(house),
            *_corrupt(counts.get("corrupt", 0)),
        ],
    }


async def _counts(house: House) -> Mapping[str, Any]:
    """What the ledger counts; nothing when it is broken and cannot be read."""
    try:
        return await house.reader.counts()
    except sqlite3.Error:
        if not house.ledger.suspect:
            raise
        return {}


async def pulse(house: House, actor: Actor) -> Document:
    """How long the reactor was ever busy with one thing; begins anew."""
    worst = house.pulse.reset() if house.pulse else 0.0
    return {"worst_ms": round(worst * 1000, 1)}


def _load(house: House) -> Document:
    """How many are connected, and whether they are too many."""
    load = house.load
    if load is None:
        return {"connections": 0, "stress": False, "stressed": 0}
    load.look()
    return {"connections": load.connected, "stress": load.on, "stressed": load.times}


def _stressed(house: House) -> list[str]:
    return [STRESS] if house.load is not None and house.load.on else []


def _risks(house: House) -> Deferred[list[str]]:
    """What domains put at risk; not all of a long list."""
    return house.directory.risky().addCallback(_risky)


def _risky(found: Page[Domain]) -> list[str]:
    said = [sentence for domain in found.items for sentence in risks(domain)]
    more = found.total - len(found.items)
    return [*said, *([f"Domains likewise: {more} more."] if more else [])]


def _held(house: House) -> Deferred[list[str]]:
    """Whose mail is held back; not all of a long list."""
    if house.quota is None:
        return succeed([])
    return house.quota.holds.page(limit=10).addCallback(_holds)


def _touched(house: House) -> list[str]:
    """What operators said of sites and may have forgotten."""
    queue = house.queue
    if queue is None:
        return []
    said = []
    if EVERY in queue.held:
        said.append("All mail for other servers is held: queue resume --all.")
    if named := queue.held - {EVERY}:
        said.append(f"Mail is held for {_few(named)}: queue resume SITE.")
    if queue.routes:
        said.append(f"Sent elsewhere by hand: {_few(queue.routes)}; queue shape.")
    return said


def _few(names: Collection[str]) -> str:
    """The first of what may be many."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(sorted(names)[:10]) + more


def _limited(house: House) -> list[str]:
    """Who reached a limit of late, and whether we count alone."""
    if house.quota is None:
        return []
    trouble = house.quota.counters.trouble
    names = house.quota.breaches.of_late(house.clock.seconds())
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    said = f"Limits reached in 24 hours: {', '.join(names[:10])}{more}."
    return [*([trouble] if trouble else []), *([said] if names else [])]


def _listed(house: House) -> list[str]:
    """Lists that have our addresses, for which others refuse our mail."""
    if house.reputation is None:
        return []
    return [f"{one} Look: reputation." for one in house.reputation.listings.alarms()]


def _holds(found: Page[Hold]) -> list[str]:
    said = [said_of(hold) for hold in found.items]
    more = found.total - len(found.items)
    return [*said, *([f"Users likewise: {more} more."] if more else [])]


def _unprotected(house: House) -> Deferred[list[str]]:
    """Groups that everybody may write to (S54)."""

    def said(found: Page[Group]) -> list[str]:
        open_ = f"Groups that everybody may write to: {found.total}"
        return [f"{open_}; group list --unprotected."] if found.total else []

    return house.groups.unprotected(0).addCallback(said)


async def _unread(house: House) -> list[str]:
    """Reports that come to no mailbox, or that nobody reads there."""
    if house.reputation is None:
        return []
    mail, said = house.reputation.mail, []
    for name in ("reports_to", "complaints_to"):
        address = getattr(mail, name)
        account = await house.directory.account(address) if address else None
        if address and (account is None or account.address != address):
            said.append(f"[reputation] {name}: there is no mailbox {address}.")
        elif address and house.workers is None:
            said.append(f"[reputation] {name} is not read: no stage has workers.")
    return said


async def _reporters(house: House) -> list[str]:
    """Reports of ours in the name of a domain whose keys we have not."""
    return [
        f"{setting}: {address} is not of a hosted domain: what it reports is not"
        " signed, and hardly anybody takes it."
        for setting, address in house.facts.reporters
        if not await house.directory.is_hosted(address.rpartition("@")[2])
    ]


def _unsigned(house: House) -> Deferred[list[str]]:
    """Domains without keys; not all of a long list."""

    def said(found: Page[str]) -> list[str]:
        more = found.total - len(found.items)
        return [
            *(
                f"What {name} sends is not signed: dkim add {name}."
                for name in found.items
            ),
            *([f"Domains likewise: {more} more."] if more else []),
        ]

    if house.signer is None or not house.signer.signs:
        return succeed([])
    return house.dkim.lacking().addCallback(said)


async def _rotation(house: House) -> list[str]:
    """Keys that are too old, or that nobody finds."""
    return [] if house.rotation is None else await house.rotation.alarms()


def _virus(engine: str) -> list[str]:
    if engine == "builtin":
        return [NO_ANTIVIRUS]
    return [] if engine else [NO_SCAN]


def _tested(house: House) -> str:
    """What the scanner's self-test said: "passed", "failed", or nothing yet."""
    test = house.self_test
    if test is None:
        return "none"
    return {True: "passed", False: "failed", None: "none yet"}[test.passed]


def _ledger(house: House) -> list[str]:
    suspect = house.ledger.suspect
    if not suspect:
        return []
    return [f"No mail is accepted: {suspect}. Mend it and restart."]


def _corrupt(number: int) -> list[str]:
    if not number:
        return []
    return [
        f"Damaged on the disk and delivered to nobody: {number}. What is left is in"
        " the folder corrupt of the home; the log names each. Mended, they are"
        " delivered after a restart."
    ]
