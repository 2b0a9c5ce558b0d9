"""
How the address of a client is written: in one form only.

What counts, lists or looks up addresses must never see one client as two.

Standards: RFC 4291 §2.2, §2.5.5.2; RFC 5952 §4; RFC 4007 §11.
"""

from ipaddress import IPv6Address, ip_address


def plain_address(host: str) -> str:
    """
    An IP address in its one form.

    IPv4 that came in IPv6 is IPv4; a zone is our own business, not the
    client's.  What is no address stays as it is.
    """
    if ":" not in host:
        return host
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
