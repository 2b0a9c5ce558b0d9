"""
Which servers take a domain's mail, in which order, by what the DNS says.

What it says comes from strangers: it may name us, our neighbours or nobody.

Standards: RFC 5321 §5.1, RFC 7505 (null MX), RFC 3463.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from itertools import chain, takewhile, zip_longest

from attrs import evolve, field, frozen

from smfd.model.said import Said
from smfd.policy.networks import IPAddress, Networks, within

#: Servers that are looked at in one attempt (RFC 5321 §5.1: at least two
#: addresses are tried, and there may be a limit).
HOSTS = 5
#: Addresses that are tried in one attempt, and those of one server.
ADDRESSES = 10
EACH = 4

#: RFC 6052 §2.1: IPv4 behind a translator.
_TRANSLATED = IPv6Network("64:ff9b::/96")


class NoWay(Exception):
    """
    There is no server for a domain's mail.

    @ivar said: why, for the records.
    @ivar permanent: it will not be otherwise; else it may be.
    """

    def __init__(self, said: Said, permanent: bool = True) -> None:
        super().__init__(str(said))
        self.said = said
        self.permanent = permanent


@frozen
class Exchanger:
    """
    A server that a domain names for its mail.

    @ivar preference: the lower, the better.
    @ivar addresses: its IP addresses, in the order of the answers.
    @ivar trouble: why some of them are not known just now, or "".
    """

    name: str
    preference: int = 0
    addresses: tuple[str, ...] = ()
    trouble: str = ""


@frozen
class Exchangers:
    """
    Those of a domain that are worth a look.

    @ivar found: the best first; those of one preference in any order.
    @ivar more: there are others, for another attempt.
    @ivar implicit: the domain names none, and is its own (RFC 5321 §5.1).
    """

    found: tuple[Exchanger, ...]
    more: bool = False
    implicit: bool = False


@frozen
class Server:
    """One address of a server, to be tried."""

    name: str
    address: str


@frozen
class Bounds:
    """
    Whom we do not send to.

    @ivar names: what we are called; lower case.
    @ivar is_ours: whether mail for an address would come back to us.
    @ivar allowed: networks of ours that mail may be sent to though nobody
        else reaches them.
    @ivar ipv6: there is a way to IPv6 addresses.
    """

    names: frozenset[str] = frozenset()
    is_ours: Callable[[str], bool] = field(default=lambda address: False)
    allowed: Networks = ()
    ipv6: bool = True

    def serves(self, address: str) -> bool:
        """Whether we have a way to addresses of its kind."""
        return self.ipv6 or ":" not in address


def exchangers(
    domain: str,
    status: str,
    records: Sequence[tuple[int, str]],
    ours: frozenset[str],
    rng: random.Random,
    permits: Callable[[str], bool] = bool,
) -> Exchangers:
    """
    Those that the answer to a question for MX names.

    @param status: "ok", "nodata" or "nxdomain".
    @param ours: what we are called.
    @param permits: whether mail for the domain may be handed to a host of that
        name at all, as the domain has published it.
    @raise NoWay: it takes no mail, or we are its only server, or for now there
        is none that may have it.
    """
    if status == "nxdomain":
        raise NoWay(Said("5.1.2", f"the domain {domain} does not exist", 550))
    if status != "ok" or not records:
        if domain in ours:
            raise _loop(domain)
        itself = _permitted([Exchanger(domain)], permits, domain)
        return Exchangers(tuple(itself), implicit=True)
    named = [Exchanger(name, preference) for preference, name in records if name != "."]
    if not named:
        # RFC 7505 §3, and §4.1 for the codes.
        raise NoWay(Said("5.1.10", f"{domain} takes no mail (null MX)", 556))
    found = _before_us(sorted(named, key=_preference), ours, domain)
    # Doubles cost nothing but room.
    hosts = [x for x in {x.name: x for x in reversed(found)}.values() if _is_host(x)]
    if not hosts:
        raise NoWay(Said("5.4.4", f"the MX records of {domain} name no host", 550))
    hosts = _permitted(hosts, permits, domain)
    # RFC 5321 §5.1: equal ones are tried in random order, to share the load.
    rng.shuffle(hosts)
    hosts.sort(key=_preference)
    return Exchangers(tuple(hosts[:HOSTS]), more=len(hosts) > HOSTS)


def servers(domain: str, known: Exchangers, bounds: Bounds) -> tuple[Server, ...]:
    """
    The addresses to try, in their order; at least one.

    @param known: with their addresses.
    @raise NoWay: there is none, for now or for ever.
    """
    found = _until_us(known.found, bounds)
    if not found:
        raise _loop(domain)
    tried: list[Server] = []
    refused: list[str] = []
    for exchanger in found:
        addresses = [a for a in exchanger.addresses if bounds.serves(a)]
        good = [a for a in addresses if is_public(a) or within(a, bounds.allowed)]
        refused += addresses
        each = by_turns(good)[:EACH]
        tried += [Server(exchanger.name, a) for a in each]
    if tried:
        return tuple(tried[:ADDRESSES])
    left = evolve(known, found=tuple(found))
    raise _unreachable(domain, left, refused, bounds.ipv6)


def by_turns(addresses: Iterable[str]) -> list[str]:
    """IPv6 and IPv4 by turns: where one of them leads nowhere, the other does."""
    six: list[str] = []
    four: list[str] = []
    for address in dict.fromkeys(addresses):
        (six if ":" in address else four).append(address)
    turns = chain.from_iterable(zip_longest(six, four))
    return [address for address in turns if address is not None]


def is_public(text: str) -> bool:
    """
    Whether an address is one that the world may have.

    Not loopback, private, link-local, multicast, documentation, reserved; nor
    any that leads to such a one.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return all(a.is_global and not a.is_multicast for a in _meant(address))


def _meant(address: IPAddress) -> Iterator[IPAddress]:
    """An address, and those that stand in it."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        # What it means is all that counts.
        yield mapped
        return
    yield address
    if isinstance(address, IPv6Address):
        if address.sixtofour is not None:
            yield address.sixtofour
        if address in _TRANSLATED:
            yield IPv4Address(int(address) & 0xFFFFFFFF)


def _permitted(
    hosts: list[Exchanger], permits: Callable[[str], bool], domain: str
) -> list[Exchanger]:
    """RFC 8461 §5: where the policy names none of them, mail waits."""
    permitted = [host for host in hosts if permits(host.name)]
    if not permitted:
        why = f"the MTA-STS policy of {domain} names none of its MX hosts"
        raise NoWay(Said("4.7.0", why, host=hosts[0].name), permanent=False)
    return permitted


def _preference(exchanger: Exchanger) -> int:
    return exchanger.preference


def _is_host(exchanger: Exchanger) -> bool:
    """Whether it is a name: RFC 5321 §5.1 has no place for an address there."""
    name = exchanger.name
    last = name.rpartition(".")[2]
    return bool(last) and not last.isdigit() and not set(name) & set("[]: \\")


def _before_us(
    named: Sequence[Exchanger], ours: frozenset[str], domain: str
) -> list[Exchanger]:
    """
    RFC 5321 §5.1: where we are among them, only better ones are tried.
    """
    limit = min((x.preference for x in named if x.name in ours), default=None)
    if limit is None:
        return list(named)
    better = [x for x in named if x.preference < limit]
    if not better:
        raise _loop(domain)
    return better


def _until_us(found: Sequence[Exchanger], bounds: Bounds) -> list[Exchanger]:
    """The same, where we are known by our address; none is better than we are."""
    ours = [x.preference for x in found if any(map(bounds.is_ours, x.addresses))]
    if not ours:
        return list(found)
    return list(takewhile(lambda x: x.preference < min(ours), found))


def _loop(domain: str) -> NoWay:
    return NoWay(Said("5.4.6", f"mail for {domain} would come back to us", 554))


def _unreachable(
    domain: str, known: Exchangers, refused: list[str], ipv6: bool
) -> NoWay:
    """Nobody is left: for now, or for ever."""
    trouble = next((x.trouble for x in known.found if x.trouble), "")
    if trouble:
        return NoWay(Said("4.4.3", trouble), permanent=False)
    if known.more:
        why = f"the servers of {domain} that were looked at have no address"
        return NoWay(Said("4.4.4", why), permanent=False)
    if refused:
        why = f"the servers of {domain} are where nobody can send to: {refused[0]}"
        return NoWay(Said("5.4.4", why, 550))
    if any(x.addresses for x in known.found):
        why = f"there is no way from here to {known.found[0].addresses[0]}"
        return NoWay(Said("4.4.4", why), permanent=False)
    # Where IPv6 leads nowhere its addresses are not asked for.
    none = "address" if ipv6 else "IPv4 address, and we send by no other"
    if known.implicit:
        why = f"the domain {domain} has neither a mail server nor an {none}"
        return NoWay(Said("5.1.2", why, 550))
    return NoWay(Said("5.4.4", f"the servers of {domain} have no {none}", 550))
