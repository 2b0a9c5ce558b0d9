"""
Networks: which address is in one, and who its neighbours are.

An address is read once, however many ask; what was read is kept for the last
4,096.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

IPAddress = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]


def networks(texts: Iterable[str]) -> Networks:
    """
    Networks as the settings have them.

    @raise ValueError: one of them is none.
    """
    return tuple(ip_network(text) for text in texts)


@lru_cache(4096)
def address_of(client: str) -> IPAddress:
    """
    A peer's address; IPv4 as such, wherever it was heard.

    @raise ValueError: it is none.
    """
    address = ip_address(client.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def is_address(text: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        return ip_address(text) is not None
    except ValueError:
        return False


@lru_cache(4096)
def network_of(client: str) -> str:
    """
    The network that stands for its neighbours too: /24, or /64.

    What is no address, such as a UNIX socket's, stands for itself.
    """
    try:
        address = address_of(client)
    except ValueError:
        return client
    bits = 24 if address.version == 4 else 64
    return str(ip_network((address, bits), strict=False))


def within(client: str, networks: Networks) -> bool:
    """Whether an address is in one of these."""
    if not networks:
        return False
    try:
        address = address_of(client)
    except ValueError:
        return False
    return any(address in network for network in networks)
